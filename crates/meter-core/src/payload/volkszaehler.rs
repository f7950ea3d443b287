//! Values as volkszaehler's middleware and vzlogger's push servers take them.
//!
//! ```json
//! [[1732290000000,2941645.9],[1732290001000,2941646.1]]
//! {"data":[{"uuid":"6836dd20-00d5-11e0-bab1-856ed5f959ae","tuples":[[1732290000000,2941645.9]]}]}
//! ```
//!
//! Each value has its time in milliseconds, and every digit that the meter sent.

use core::fmt::{self, Write};

use super::{JsonString, array};
use crate::decimal::Decimal;
use crate::time::UnixMillis;

/// A value and when it was taken.
pub type Tuple = (UnixMillis, Decimal);

/// Writes the values of one channel, for the middleware.
pub fn tuples(values: &[Tuple], out: &mut impl Write) -> fmt::Result {
    array(values, out, |(time, value), out| {
        write!(out, "[{},{value}]", time.0)
    })
}

/// Writes the values of several channels under their UUIDs, for a push server.
pub fn push(channels: &[(&str, &[Tuple])], out: &mut impl Write) -> fmt::Result {
    out.write_str("{\"data\":")?;
    array(channels, out, |(uuid, values), out| {
        write!(out, "{{\"uuid\":{},\"tuples\":", JsonString(uuid))?;
        tuples(values, out)?;
        out.write_char('}')
    })?;
    out.write_char('}')
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use std::string::String;

    #[test]
    fn every_digit_is_written() {
        let values = [
            (
                UnixMillis(1_732_290_000_000),
                Decimal::new(29_416_461_614, -4),
            ),
            (UnixMillis(1_732_290_001_000), Decimal::signed(-1055, -1)),
        ];
        let mut text = String::new();
        tuples(&values, &mut text).unwrap();
        assert_eq!(
            text,
            "[[1732290000000,2941646.1614],[1732290001000,-105.5]]"
        );
        text.clear();
        push(&[("a", &values[..1]), ("b", &values[1..])], &mut text).unwrap();
        assert_eq!(
            text,
            "{\"data\":[{\"uuid\":\"a\",\"tuples\":[[1732290000000,2941646.1614]]},\
             {\"uuid\":\"b\",\"tuples\":[[1732290001000,-105.5]]}]}"
        );
        text.clear();
        push(&[], &mut text).unwrap();
        assert_eq!(text, "{\"data\":[]}");
    }
}
