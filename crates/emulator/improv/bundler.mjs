// The SDK is written for bundlers: its files name each other without their endings, and do not say
// that they are modules.

import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

export async function resolve(specifier, context, next) {
  if (specifier.startsWith(".") && context.parentURL) {
    const file = new URL(`${specifier}.js`, context.parentURL);
    if (existsSync(fileURLToPath(file))) {
      return next(`${specifier}.js`, context);
    }
  }
  return next(specifier, context);
}

export async function load(url, context, next) {
  const isSdk = url.includes("/improv-wifi-serial-sdk/") && url.endsWith(".js");
  return next(url, isSdk ? { ...context, format: "module" } : context);
}
