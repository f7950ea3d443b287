//! The functions of C that Mbed TLS calls; a chip has them in its ROM.

use alloc::alloc::{alloc_zeroed, dealloc};
use core::alloc::Layout;
use core::ffi::{CStr, c_char, c_int};
use core::ptr::{null, null_mut};

/// Before each piece of memory stands its size, in as many bytes as its alignment.
const ALIGN: usize = 16;

fn layout(size: usize) -> Option<Layout> {
    Layout::from_size_align(size.checked_add(ALIGN)?, ALIGN).ok()
}

#[expect(unsafe_code, reason = "C has no other memory")]
#[unsafe(no_mangle)]
extern "C" fn calloc(count: usize, size: usize) -> *mut u8 {
    let Some(layout) = count.checked_mul(size).and_then(layout) else {
        return null_mut();
    };
    // SAFETY: the layout is not empty, and the size is written into memory that was just given.
    unsafe {
        let start = alloc_zeroed(layout);
        if start.is_null() {
            return null_mut();
        }
        start.cast::<usize>().write(layout.size() - ALIGN);
        start.add(ALIGN)
    }
}

#[expect(unsafe_code, reason = "C has no other memory")]
#[unsafe(no_mangle)]
unsafe extern "C" fn free(place: *mut u8) {
    if place.is_null() {
        return;
    }
    // SAFETY: C gives back what `calloc` gave, and the size stands before it.
    unsafe {
        let start = place.sub(ALIGN);
        if let Some(layout) = layout(start.cast::<usize>().read()) {
            dealloc(start, layout);
        }
    }
}

#[expect(unsafe_code, reason = "called by C")]
#[unsafe(no_mangle)]
unsafe extern "C" fn strcmp(one: *const c_char, other: *const c_char) -> c_int {
    // SAFETY: C hands over strings.
    let (one, other) = unsafe { (CStr::from_ptr(one), CStr::from_ptr(other)) };
    one.to_bytes().cmp(other.to_bytes()) as c_int
}

#[expect(unsafe_code, reason = "called by C")]
#[unsafe(no_mangle)]
unsafe extern "C" fn strchr(text: *const c_char, wanted: c_int) -> *const c_char {
    // SAFETY: C hands over a string, whose end may be what is wanted.
    let bytes = unsafe { CStr::from_ptr(text) }.to_bytes_with_nul();
    // C means the lowest byte.
    let wanted = wanted.to_le_bytes()[0];
    let place = bytes.iter().position(|byte| *byte == wanted);
    place.map_or(null(), |place| text.wrapping_add(place))
}

#[expect(unsafe_code, reason = "called by C")]
#[unsafe(no_mangle)]
unsafe extern "C" fn strstr(text: *const c_char, wanted: *const c_char) -> *const c_char {
    // SAFETY: C hands over strings.
    let (bytes, wanted) = unsafe { (CStr::from_ptr(text), CStr::from_ptr(wanted)) };
    let (bytes, wanted) = (bytes.to_bytes(), wanted.to_bytes());
    let place = (0..=bytes.len()).find(|&place| {
        bytes
            .get(place..)
            .is_some_and(|rest| rest.starts_with(wanted))
    });
    place.map_or(null(), |place| text.wrapping_add(place))
}
