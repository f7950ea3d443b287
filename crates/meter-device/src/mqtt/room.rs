//! Memory for what a server sends.

extern crate alloc;

use alloc::boxed::Box;
use alloc::vec;
use core::num::NonZero;

use rust_mqtt::buffer::BufferProvider;

/// The longest packet that a server may send. `homeassistant/status` takes 40 bytes, and what a server
/// says when it refuses a login a few hundred.
pub(super) const LONGEST_PACKET: NonZero<u32> = NonZero::new(1024).unwrap();

/// Memory for what a server sends, one piece of a packet at a time, from the heap.
///
/// A server that sends more than it was told to gets none, so that no server can use up the memory.
#[derive(Debug, Default)]
pub struct Room;

/// More was sent than there is room for.
#[derive(Debug)]
pub struct TooLong;

impl BufferProvider<'_> for Room {
    type Buffer = Box<[u8]>;
    type ProvisionError = TooLong;

    fn provide_buffer(&mut self, length: usize) -> Result<Self::Buffer, TooLong> {
        let longest = usize::try_from(LONGEST_PACKET.get()).unwrap_or(0);
        if length > longest {
            return Err(TooLong);
        }
        Ok(vec![0; length].into_boxed_slice())
    }
}
