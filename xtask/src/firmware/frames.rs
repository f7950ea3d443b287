//! The largest stack frame of a program for RISC-V, read from the beginnings of its functions.
//!
//! An application that is one future is also one function, which LLVM gives room for everything that is
//! ever moved in it. That overflows a stack that is large enough for everything else, so it is watched.

use object::elf::{FileHeader32, SHF_EXECINSTR, STT_FUNC};
use object::read::elf::{FileHeader as _, SectionHeader as _, Sym as _};

use crate::failure::Failure;

/// The stack pointer's number.
const SP: u32 = 2;

/// A function and the bytes of stack that it takes.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// Its name, for a person.
    pub name: String,
    /// Bytes.
    pub size: u64,
}

/// The largest of a program.
pub fn largest(program: &[u8]) -> Result<Frame, Failure> {
    let header = FileHeader32::<object::LittleEndian>::parse(program)?;
    let endian = header.endian()?;
    let sections = header.sections(endian, program)?;
    let symbols = sections.symbols(endian, program, object::elf::SHT_SYMTAB)?;
    let mut largest = Frame::default();
    for section in sections.iter() {
        if section.sh_flags(endian).0 & SHF_EXECINSTR.0 == 0 {
            continue;
        }
        let (start, code) = (section.sh_addr(endian), section.data(endian, program)?);
        for symbol in symbols.iter().filter(|symbol| symbol.st_type() == STT_FUNC) {
            let at = symbol.st_value(endian).checked_sub(start);
            let function = at.and_then(|at| code.get(at as usize..));
            let size = function
                .and_then(|code| code.get(..symbol.st_size(endian) as usize))
                .map_or(0, frame);
            if size > largest.size {
                let name = String::from_utf8_lossy(symbol.name(endian, symbols.strings())?);
                let name = format!("{:#}", rustc_demangle::demangle(&name));
                largest = Frame { name, size };
            }
        }
    }
    Ok(largest)
}

/// The bytes by which a function lowers the stack pointer. Beside `addi sp, sp, -N` there are
/// `c.addi16sp`, `c.addi`, and for a large one a constant in a register that is added or subtracted.
fn frame(function: &[u8]) -> u64 {
    let mut registers = [0_i32; 32];
    let mut size = 0;
    let mut rest = function;
    while let Some((half, after)) = rest.split_first_chunk() {
        let half = u32::from(u16::from_le_bytes(*half));
        let lowered = if half & 3 == 3 {
            let Some((high, after)) = after.split_first_chunk() else {
                break;
            };
            rest = after;
            long(
                half | u32::from(u16::from_le_bytes(*high)) << 16,
                &mut registers,
            )
        } else {
            rest = after;
            short(half, &mut registers)
        };
        // The way back raises it; a function that ends early begins anew.
        size += u64::try_from(lowered).unwrap_or(0);
    }
    size
}

/// By how much an instruction of 32 bits lowers the stack pointer.
fn long(code: u32, registers: &mut [i32; 32]) -> i32 {
    let (to, from, other) = (code >> 7 & 31, code >> 15 & 31, code >> 20 & 31);
    let immediate = code.cast_signed() >> 20;
    let value = |registers: &[i32; 32], number: u32| registers.get(number as usize).copied();
    match (code & 0x7f, code >> 12 & 7) {
        // addi
        (0x13, 0) if to == SP && from == SP => return -immediate,
        (0x13, 0) => set(
            registers,
            to,
            value(registers, from).unwrap_or(0).wrapping_add(immediate),
        ),
        // lui
        (0x37, _) => set(registers, to, (code & 0xffff_f000).cast_signed()),
        // add and sub
        (0x33, 0) if to == SP && from == SP => {
            let by = value(registers, other).unwrap_or(0);
            return if code >> 30 == 0 {
                by.wrapping_neg()
            } else {
                by
            };
        }
        _ => {}
    }
    0
}

/// By how much an instruction of 16 bits lowers the stack pointer.
fn short(code: u32, registers: &mut [i32; 32]) -> i32 {
    let to = code >> 7 & 31;
    let sign = -((code >> 12 & 1).cast_signed());
    let low = (code >> 2 & 31).cast_signed();
    match code & 0xe003 {
        // c.addi16sp
        0x6001 if to == SP => {
            let bits = (code >> 6 & 1) << 4 | (code >> 2 & 1) << 5 | (code >> 5 & 1) << 6;
            let bits = bits | (code >> 3 & 3) << 7;
            return -(bits.cast_signed() | sign << 9);
        }
        // c.lui
        0x6001 => set(registers, to, (sign << 5 | low) << 12),
        // c.addi
        0x0001 if to == SP => return -(sign << 5 | low),
        0x0001 => {
            let before = registers.get(to as usize).copied().unwrap_or(0);
            set(registers, to, before.wrapping_add(sign << 5 | low));
        }
        // c.li
        0x4001 => set(registers, to, sign << 5 | low),
        // c.add
        0x8002 if to == SP && sign != 0 && low != 0 => {
            let by = registers
                .get((code >> 2 & 31) as usize)
                .copied()
                .unwrap_or(0);
            return by.wrapping_neg();
        }
        _ => {}
    }
    0
}

fn set(registers: &mut [i32; 32], number: u32, value: i32) {
    if let Some(register) = registers.get_mut(number as usize) {
        *register = value;
    }
}

#[cfg(test)]
mod tests {
    use super::frame;

    /// As `llvm-mc --triple=riscv32 -mattr=+c --show-encoding` has them.
    #[test]
    fn every_way_to_lower_the_stack_is_seen() {
        for (code, size, way) in [
            (&[0x13, 0x01, 0x01, 0x81][..], 2032, "addi sp, sp, -2032"),
            (&[0x41, 0x71], 496, "c.addi16sp sp, -496"),
            (&[0x41, 0x11], 16, "c.addi sp, -16"),
            (&[0x41, 0x01], 0, "c.addi sp, 16"),
            (
                &[
                    0xb7, 0x82, 0x02, 0x00, 0x93, 0x82, 0x82, 0xa1, 0x33, 0x01, 0x51, 0x40,
                ],
                162_328,
                "lui t0, 40; addi t0, t0, -1512; sub sp, sp, t0",
            ),
            (
                &[0xb7, 0x82, 0xfd, 0xff, 0xe1, 0x12, 0x16, 0x91],
                163_848,
                "lui t0, 0xfffd8; c.addi t0, -8; c.add sp, t0",
            ),
            (
                &[0x21, 0x65, 0x33, 0x01, 0xa1, 0x40],
                32_768,
                "c.lui a0, 8; sub sp, sp, a0",
            ),
        ] {
            assert_eq!(frame(code), size, "{way}");
        }
    }
}
