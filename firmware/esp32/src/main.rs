//! The device on Espressif's chips: its parts, handed to the application.

#![no_std]
#![no_main]

mod board;
mod chip;
mod clock;
mod console;
mod flash;
mod line;
mod memory;
mod screen;
mod wifi;
mod wiring;
mod words;

use embassy_executor::Spawner;
use meter_device::app;

use board::Esp;
use words::End;

esp_bootloader_esp_idf::esp_app_desc!();

#[esp_rtos::main]
async fn main(spawner: Spawner) {
    memory::paint();
    let chip = esp_hal::init(esp_hal::Config::default());
    match board::start(chip, spawner) {
        Ok(parts) => app::run::<Esp, { flash::OUTBOX_SECTORS }>(parts).await,
        Err(fault) => words::leave(End::Panic, format_args!("{} {fault:?}", wiring::NAME)),
    }
    esp_hal::system::software_reset()
}
