//! What the firmware for Espressif's chips may take, and what it takes.

use std::fs;
use std::path::Path;

use object::elf::{FileHeader32, SHN_UNDEF, STT_OBJECT};
use object::read::elf::{FileHeader as _, SectionHeader as _, Sym as _};

use super::boards::Chip;
use super::frames::{self, Frame};
use crate::failure::Failure;

/// Heap for Wi-Fi: 1.6 KB for each buffer, as the documentation of `esp_radio::wifi::ControllerConfig`
/// has it, of which `firmware/esp32/src/wifi.rs` allows 20; and 16 KiB for its tasks and the rest.
const WIFI: u64 = 20 * 1638 + 16 * 1024;

/// Stack that is needed beside the largest frame. A TLS handshake takes 4.2 KiB.
const STACK: u64 = 24 * 1024;

/// Bytes of a linked program and its image.
#[derive(Debug, PartialEq, Eq)]
pub struct Sizes {
    /// The image that is written to flash.
    pub image: u64,
    /// Code that runs from RAM.
    pub iram: u64,
    /// Variables, without the heap.
    pub variables: u64,
    /// Memory of the heap.
    pub heap: u64,
    /// What is left for the stack.
    pub stack: u64,
    /// The most that one function takes of it. Not known for Xtensa.
    pub frame: Frame,
}

impl Sizes {
    /// Measures a program and its image.
    pub fn of(program: &Path, image: &Path) -> Result<Self, Failure> {
        let bytes = fs::read(program).map_err(Failure::file(program))?;
        let header = FileHeader32::<object::LittleEndian>::parse(&*bytes)?;
        let endian = header.endian()?;
        let sections = header.sections(endian, &*bytes)?;
        let mut sizes = Self {
            image: fs::metadata(image).map_err(Failure::file(image))?.len(),
            iram: 0,
            variables: 0,
            heap: 0,
            stack: 0,
            frame: frames::largest(&bytes)?,
        };
        for section in sections.iter() {
            let size = u64::from(section.sh_size(endian));
            match sections.section_name(endian, section)? {
                b".trap" | b".rwtext" | b".rwtext.wifi" | b".vectors" => sizes.iram += size,
                b".data" | b".data.wifi" | b".bss" | b".noinit" => sizes.variables += size,
                b".stack" => sizes.stack += size,
                _ => {}
            }
        }
        let reclaimed = sections
            .section_by_name(endian, b".dram2_uninit")
            .map_or(0, |(_, section)| u64::from(section.sh_size(endian)));
        let symbols = sections.symbols(endian, &*bytes, object::elf::SHT_SYMTAB)?;
        for symbol in symbols.iter() {
            // `esp_alloc::heap_allocator!` names them so.
            let name = symbol.name(endian, symbols.strings())?;
            let heap = symbol.st_type() == STT_OBJECT
                && symbol.st_shndx(endian) != SHN_UNDEF
                && name.windows(5).any(|part| part == b"4HEAP");
            if heap {
                sizes.heap += u64::from(symbol.st_size(endian));
            }
        }
        sizes.variables = (sizes.variables + reclaimed).saturating_sub(sizes.heap);
        Ok(sizes)
    }

    /// One line of them.
    pub fn row(&self, board: &str) -> String {
        let Self {
            image,
            iram,
            variables,
            heap,
            stack,
            frame: Frame { size, name },
        } = self;
        format!(
            "{board:<22}{image:>10}{iram:>10}{variables:>11}{heap:>10}{stack:>10}{size:>10}  {name:.60}"
        )
    }

    /// What the numbers of [`row`](Self::row) are.
    pub fn heading() -> String {
        format!(
            "{:<22}{:>10}{:>10}{:>11}{:>10}{:>10}{:>10}",
            "bytes", "image", "IRAM", "variables", "heap", "stack", "frame"
        )
    }

    /// Holds them against the budget.
    pub fn check(&self, chip: &Chip) -> Result<(), Failure> {
        if self.image > chip.image {
            return Err(Failure::OverLimit {
                what: "the application's image in bytes",
                measured: self.image,
                limit: chip.image,
            });
        }
        for (what, measured, limit) in [
            ("the heap in bytes", self.heap, WIFI + chip.heap_left),
            ("the stack in bytes", self.stack, STACK + self.frame.size),
        ] {
            if measured < limit {
                return Err(Failure::UnderLimit {
                    what,
                    measured,
                    limit,
                });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::firmware::boards::CHIPS;

    fn good() -> Sizes {
        Sizes {
            image: 900_000,
            iram: 40_000,
            variables: 50_000,
            heap: 220_000,
            stack: 60_000,
            frame: Frame {
                name: "main".to_owned(),
                size: 20_000,
            },
        }
    }

    #[test]
    fn each_limit_is_held() {
        let chip = &CHIPS[0];
        assert!(good().check(chip).is_ok());
        for (spoil, what) in [
            ((|sizes| sizes.image = 2_000_000) as fn(&mut Sizes), "image"),
            (|sizes| sizes.heap = WIFI, "heap"),
            (|sizes| sizes.stack = STACK, "stack"),
            (|sizes| sizes.frame.size = 60_000, "stack"),
        ] {
            let mut sizes = good();
            spoil(&mut sizes);
            let said = sizes.check(chip).unwrap_err().to_string();
            assert!(said.contains(what), "{said}");
        }
    }
}
