// What a browser does with a device, by the public SDK: node browser.mjs PLACE CALLS
//
// PLACE is tcp:HOST:PORT or unix:PATH. CALLS is a JSON list of methods of the SDK with their
// arguments, as in [["scan"],["provision","SSID","PASSWORD"]]. Prints one line of JSON: what the
// device said of itself, and what came of each call.

import { register } from "node:module";
import net from "node:net";
import { Duplex } from "node:stream";

register("./bundler.mjs", import.meta.url);
const { ImprovSerial } = await import("improv-wifi-serial-sdk/dist/serial.js");

const [place, calls] = process.argv.slice(2);
const [kind, ...address] = place.split(":");
const socket =
  kind === "unix"
    ? net.connect(address.join(":"))
    : net.connect(Number(address.at(-1)), address.slice(0, -1).join(":"));
await new Promise((resolve, reject) => socket.once("connect", resolve).once("error", reject));

const states = [];
const quiet = { log() {}, debug() {}, error: (...what) => console.error(...what) };
// A serial port of the browser is a readable and a writable stream, as this is.
const device = new ImprovSerial(Duplex.toWeb(socket), quiet);
device.addEventListener("state-changed", (event) => states.push(event.detail));

const info = await device.initialize(20000);
const results = [];
for (const [method, ...args] of JSON.parse(calls)) {
  try {
    results.push({ done: (await device[method](...args)) ?? null });
  } catch (error) {
    results.push({ refused: String(error) });
  }
}
const nextUrl = device.nextUrl ?? null;
await device.close();
socket.destroy();
// The SDK leaves a timer behind that would keep the program from ending.
process.stdout.write(`${JSON.stringify({ info, states, results, nextUrl })}\n`, () => process.exit());
