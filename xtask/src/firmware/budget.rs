//! What the firmware for Espressif's chips may take, and what it takes.

use std::fs;
use std::path::Path;

use object::elf::{FileHeader32, SHN_UNDEF, STT_OBJECT};
use object::read::elf::{FileHeader as _, SectionHeader as _, Sym as _};

use crate::failure::Failure;

/// The application's image: 1.2 MiB. A slot has 1.75 MiB.
const IMAGE: u64 = 12 * 1024 * 1024 / 10;

/// The least heap that is left beside Wi-Fi: a TLS handshake takes 40 KiB at most, and what is in use
/// afterwards 27 KiB.
const HEAP_LEFT: u64 = 100 * 1024;

/// Heap for Wi-Fi: what the documentation of `esp-radio` sets aside for Wi-Fi and Bluetooth together,
/// with more than twice the buffers that this firmware lets it have.
const WIFI: u64 = (64 + 36) * 1024;

/// The least stack of the main task. A handshake takes 4.2 KiB of it.
const STACK: u64 = 32 * 1024;

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
        } = self;
        format!("{board:<22}{image:>10}{iram:>10}{variables:>11}{heap:>10}{stack:>10}")
    }

    /// What the numbers of [`row`](Self::row) are.
    pub fn heading() -> String {
        format!(
            "{:<22}{:>10}{:>10}{:>11}{:>10}{:>10}",
            "bytes", "image", "IRAM", "variables", "heap", "stack"
        )
    }

    /// Holds them against the budget.
    pub fn check(&self) -> Result<(), Failure> {
        if self.image > IMAGE {
            return Err(Failure::OverLimit {
                what: "the application's image in bytes",
                measured: self.image,
                limit: IMAGE,
            });
        }
        for (what, measured, limit) in [
            ("the heap in bytes", self.heap, WIFI + HEAP_LEFT),
            ("the stack in bytes", self.stack, STACK),
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

    const GOOD: Sizes = Sizes {
        image: 900_000,
        iram: 40_000,
        variables: 50_000,
        heap: 220_000,
        stack: 60_000,
    };

    #[test]
    fn each_limit_is_held() {
        assert!(GOOD.check().is_ok());
        for (sizes, what) in [
            (
                Sizes {
                    image: IMAGE + 1,
                    ..GOOD
                },
                "image",
            ),
            (
                Sizes {
                    heap: WIFI + HEAP_LEFT - 1,
                    ..GOOD
                },
                "heap",
            ),
            (
                Sizes {
                    stack: STACK - 1,
                    ..GOOD
                },
                "stack",
            ),
        ] {
            let said = sizes.check().unwrap_err().to_string();
            assert!(said.contains(what), "{said}");
        }
    }
}
