//! `GetList.Res`: the message in which a meter sends its registers.

use crate::element::{Any, wire_struct};
use crate::{Error, Integer, Obis, Reader, Sequence, Time, Value, Wire};

wire_struct! {
    /// `SML_GetList.Res` (SML 1.04, 7.5.2), tag 0701.
    pub struct GetListRes<'a> {
        /// Whom it is for; meters that push send none or `ff ff ff ff ff ff`.
        pub client_id: Option<&'a [u8]> = "client id",
        /// Which meter it is.
        pub server_id: &'a [u8] = "server id",
        /// Which list of registers it is, itself an OBIS code.
        pub list_name: Option<&'a [u8]> = "list name",
        /// The meter's time when it took the values.
        pub sensor_time: Option<Time> = "sensor time",
        /// The registers, in the meter's order.
        pub entries: Sequence<'a, ListEntry<'a>> = "registers",
        /// Signature over the list.
        pub signature: Option<&'a [u8]> = "list signature",
        /// The time of the gateway that passed the list on.
        pub gateway_time: Option<Time> = "gateway time",
    }
}

wire_struct! {
    /// `SML_ListEntry` (SML 1.04, 7.5.2): one register.
    ///
    /// An element of [`GetListRes::entries`] that has another form does not keep its neighbours from
    /// being read: it comes out with an empty name and, whole, as [`Value::Other`].
    pub struct ListEntry<'a> {
        /// Which register it is, an OBIS code of six bytes; see [`ListEntry::obis`].
        pub name: &'a [u8] = "register",
        /// Status word; what its bits mean differs between meters.
        pub status: Option<Integer> = "status",
        /// When the value was taken, if not with the rest.
        pub time: Option<Time> = "time",
        /// DLMS unit code; 0 means none.
        pub unit: Option<Integer> = "unit",
        /// Power of ten that the value is to be multiplied by; absent means 0.
        pub scaler: Option<Integer> = "scaler",
        /// The value.
        pub value: Value<'a> = "value",
        /// Signature over the entry.
        pub signature: Option<&'a [u8]> = "signature",
    }
    {
        // The elements of the entries are counted, not read: they are read once, where they are
        // asked for.
        #[cfg_attr(not(feature = "small"), inline(always))]
        fn check(reader: &mut Reader<'a>, count: usize) -> Result<(), Error> {
            #[cfg(not(feature = "small"))]
            let count = (0..count).rev().find(|_| reader.skip_usual_entry().is_none()).map_or(0, |left| left + 1);
            reader.skip_all(count)
        }

        #[cfg_attr(not(feature = "small"), inline(always))]
        fn parse_checked(reader: &mut Reader<'a>) -> Option<Self> {
            let start = *reader;
            if start.rest().is_empty() {
                return None;
            }
            if let Ok(entry) = Self::parse(reader) {
                return Some(entry);
            }
            *reader = start;
            reader.rarely(Self::parse_odd).ok()
        }
    }
}

impl<'a> GetListRes<'a> {
    /// A list of this meter's in which nothing else stands yet.
    #[must_use]
    pub fn of(server_id: &'a [u8]) -> Self {
        Self {
            client_id: None,
            server_id,
            list_name: None,
            sensor_time: None,
            entries: Sequence::default(),
            signature: None,
            gateway_time: None,
        }
    }
}

impl<'a> ListEntry<'a> {
    /// Reads an element that is no entry.
    fn parse_odd(reader: &mut Reader<'a>) -> Result<Self, Error> {
        Ok(Self {
            name: &[],
            status: None,
            time: None,
            unit: None,
            scaler: None,
            value: Value::Other(Any::parse(reader)?),
            signature: None,
        })
    }

    /// The OBIS code, unless the name has another length than six.
    #[must_use]
    pub fn obis(&self) -> Option<Obis> {
        self.name.try_into().ok().map(Obis)
    }
}
