//! What messages say: one struct for each kind, its fields in the order of the wire.
//!
//! | tag | message | tag | message |
//! |---|---|---|---|
//! | 0100 | [`OpenReq`] | 0101 | [`OpenRes`] |
//! | 0200 | [`CloseReq`] | 0201 | [`CloseRes`] |
//! | 0300 | [`GetProfileReq`] | 0301 | [`GetProfilePackRes`] |
//! | 0400 | [`GetProfileReq`] | 0401 | [`GetProfileListRes`] |
//! | 0500 | [`GetProcParameterReq`] | 0501 | [`GetProcParameterRes`] |
//! | 0600 | [`SetProcParameterReq`] | ff01 | [`AttentionRes`], also the answer to 0600 |
//! | 0700 | [`GetListReq`] | 0701 | [`GetListRes`] |
//!
//! Everything else, such as the COSEM messages 0800 to 0a01, is [`Body::Unknown`]: checked for its
//! structure, and kept.

use crate::element::{Any, Error, Full, Reader, Wire, Writer, wire_struct};
use crate::pretty::{Outline, Show};
use crate::{GetListRes, Integer, ListEntry, Nested, Sequence, Time, Value};

wire_struct! {
    /// `SML_PublicOpen.Req` (SML 1.04, 7.1.1): begins a file that asks something.
    pub struct OpenReq<'a> {
        /// Character set of the texts in the file; absent means ISO 8859-15.
        pub codepage: Option<&'a [u8]> = "code page",
        /// Who asks.
        pub client_id: &'a [u8] = "client id",
        /// Number of the request, repeated in the answer.
        pub file_id: &'a [u8] = "file id",
        /// Who is asked.
        pub server_id: Option<&'a [u8]> = "server id",
        /// User name.
        pub username: Option<&'a [u8]> = "user name",
        /// Password.
        pub password: Option<&'a [u8]> = "password",
        /// Version of SML; absent means 1.
        pub sml_version: Option<Integer> = "SML version",
    }
}

wire_struct! {
    /// `SML_PublicOpen.Res` (SML 1.04, 7.1.2): begins a file that a meter sends.
    pub struct OpenRes<'a> {
        /// Character set of the texts in the file; absent means ISO 8859-15.
        pub codepage: Option<&'a [u8]> = "code page",
        /// Whom it is for.
        pub client_id: Option<&'a [u8]> = "client id",
        /// Number of the request, or a running number.
        pub file_id: &'a [u8] = "file id",
        /// Which meter sends it.
        pub server_id: &'a [u8] = "server id",
        /// The meter's time.
        pub reference_time: Option<Time> = "reference time",
        /// Version of SML; absent means 1.
        pub sml_version: Option<Integer> = "SML version",
    }
}

wire_struct! {
    /// `SML_PublicClose.Req` (SML 1.04, 7.2.1): ends a file that asks something.
    pub struct CloseReq<'a> {
        /// Signature over the file.
        pub signature: Option<&'a [u8]> = "file signature",
    }
}

wire_struct! {
    /// `SML_PublicClose.Res` (SML 1.04, 7.2.2): ends a file that a meter sends.
    pub struct CloseRes<'a> {
        /// Signature over the file.
        pub signature: Option<&'a [u8]> = "file signature",
    }
}

wire_struct! {
    /// `SML_GetProfilePack.Req` and `SML_GetProfileList.Req` (SML 1.04, 7.3.1 and 7.4.1): asks for a
    /// stored profile, packed or as lists.
    pub struct GetProfileReq<'a> {
        /// Which meter is asked.
        pub server_id: Option<&'a [u8]> = "server id",
        /// User name.
        pub username: Option<&'a [u8]> = "user name",
        /// Password.
        pub password: Option<&'a [u8]> = "password",
        /// Whether the raw data are wanted too.
        pub with_raw_data: Option<bool> = "with raw data",
        /// Start of the period.
        pub begin: Option<Time> = "begin",
        /// End of the period.
        pub end: Option<Time> = "end",
        /// Which profile.
        pub path: Sequence<'a, &'a [u8]> = "path",
        /// Which of its registers; absent means all.
        pub registers: Option<Sequence<'a, &'a [u8]>> = "registers",
        /// Particulars of data acquisition.
        pub details: Option<Nested<'a, Tree<'a>>> = "details",
    }
}

wire_struct! {
    /// `SML_GetProfilePack.Res` (SML 1.04, 7.3.2): a profile as a head and rows.
    pub struct GetProfilePackRes<'a> {
        /// Which meter answers.
        pub server_id: &'a [u8] = "server id",
        /// The meter's time.
        pub time: Time = "time",
        /// Seconds between two rows.
        pub period: Integer = "period",
        /// Which profile.
        pub path: Sequence<'a, &'a [u8]> = "path",
        /// What stands in the columns.
        pub header: Sequence<'a, ProfileHeader<'a>> = "columns",
        /// The rows.
        pub rows: Sequence<'a, ProfileRow<'a>> = "rows",
        /// The raw data.
        pub raw_data: Option<&'a [u8]> = "raw data",
        /// Signature over the profile.
        pub signature: Option<&'a [u8]> = "profile signature",
    }
}

wire_struct! {
    /// `SML_ProfObjHeaderEntry`: one column of a packed profile.
    pub struct ProfileHeader<'a> {
        /// The register, an OBIS code.
        pub name: &'a [u8] = "register",
        /// DLMS unit code.
        pub unit: Integer = "unit",
        /// Power of ten that the values are to be multiplied by.
        pub scaler: Integer = "scaler",
    }
}

wire_struct! {
    /// `SML_ProfObjPeriodEntry`: one row of a packed profile.
    pub struct ProfileRow<'a> {
        /// When the values were taken.
        pub time: Time = "time",
        /// Status word.
        pub status: Integer = "status",
        /// The values, in the order of the columns.
        pub values: Sequence<'a, ProfileValue<'a>> = "values",
        /// Signature over the row.
        pub signature: Option<&'a [u8]> = "signature",
    }
}

wire_struct! {
    /// `SML_ValueEntry`: one value of a packed profile.
    pub struct ProfileValue<'a> {
        /// The value.
        pub value: Value<'a> = "value",
        /// Signature over it.
        pub signature: Option<&'a [u8]> = "signature",
    }
}

wire_struct! {
    /// `SML_GetProfileList.Res` (SML 1.04, 7.4.2): one row of a profile.
    pub struct GetProfileListRes<'a> {
        /// Which meter answers.
        pub server_id: &'a [u8] = "server id",
        /// The meter's time.
        pub time: Time = "time",
        /// Seconds between two rows.
        pub period: Integer = "period",
        /// Which profile.
        pub path: Sequence<'a, &'a [u8]> = "path",
        /// When the values were taken.
        pub value_time: Time = "value time",
        /// Status word.
        pub status: Integer = "status",
        /// The values.
        pub entries: Sequence<'a, PeriodEntry<'a>> = "registers",
        /// The raw data.
        pub raw_data: Option<&'a [u8]> = "raw data",
        /// Signature over the row.
        pub signature: Option<&'a [u8]> = "period signature",
    }
}

wire_struct! {
    /// `SML_PeriodEntry`: one value of a profile.
    pub struct PeriodEntry<'a> {
        /// The register, an OBIS code.
        pub name: &'a [u8] = "register",
        /// DLMS unit code.
        pub unit: Integer = "unit",
        /// Power of ten that the value is to be multiplied by.
        pub scaler: Integer = "scaler",
        /// The value.
        pub value: Value<'a> = "value",
        /// Signature over it.
        pub signature: Option<&'a [u8]> = "signature",
    }
}

wire_struct! {
    /// `SML_GetProcParameter.Req` (SML 1.04, 7.6.1): asks for a parameter.
    pub struct GetProcParameterReq<'a> {
        /// Which meter is asked.
        pub server_id: Option<&'a [u8]> = "server id",
        /// User name.
        pub username: Option<&'a [u8]> = "user name",
        /// Password.
        pub password: Option<&'a [u8]> = "password",
        /// Which parameter.
        pub path: Sequence<'a, &'a [u8]> = "path",
        /// Which attribute of it.
        pub attribute: Option<&'a [u8]> = "attribute",
    }
}

wire_struct! {
    /// `SML_GetProcParameter.Res` (SML 1.04, 7.6.2): a parameter.
    pub struct GetProcParameterRes<'a> {
        /// Which meter answers.
        pub server_id: &'a [u8] = "server id",
        /// Which parameter.
        pub path: Sequence<'a, &'a [u8]> = "path",
        /// Its value and what is below it.
        pub tree: Nested<'a, Tree<'a>> = "tree",
    }
}

wire_struct! {
    /// `SML_SetProcParameter.Req` (SML 1.04, 7.7.1): sets a parameter.
    pub struct SetProcParameterReq<'a> {
        /// Which meter is asked.
        pub server_id: Option<&'a [u8]> = "server id",
        /// User name.
        pub username: Option<&'a [u8]> = "user name",
        /// Password.
        pub password: Option<&'a [u8]> = "password",
        /// Which parameter.
        pub path: Sequence<'a, &'a [u8]> = "path",
        /// Its value and what is below it.
        pub tree: Nested<'a, Tree<'a>> = "tree",
    }
}

wire_struct! {
    /// `SML_GetList.Req` (SML 1.04, 7.5.1): asks for a list of registers.
    pub struct GetListReq<'a> {
        /// Who asks.
        pub client_id: &'a [u8] = "client id",
        /// Which meter is asked.
        pub server_id: Option<&'a [u8]> = "server id",
        /// User name.
        pub username: Option<&'a [u8]> = "user name",
        /// Password.
        pub password: Option<&'a [u8]> = "password",
        /// Which list; absent means the one that the meter chooses.
        pub list_name: Option<&'a [u8]> = "list name",
    }
}

wire_struct! {
    /// `SML_Attention.Res` (SML 1.04, 7.8): says that something was done, or why not.
    pub struct AttentionRes<'a> {
        /// Which meter answers.
        pub server_id: &'a [u8] = "server id",
        /// What happened, an OBIS code `129-129:199.199.x*y`.
        pub number: &'a [u8] = "attention",
        /// The same as text.
        pub text: Option<&'a [u8]> = "text",
        /// Particulars.
        pub details: Option<Nested<'a, Tree<'a>>> = "details",
    }
}

wire_struct! {
    /// `SML_Tree` (SML 1.04, 6.2.11): a parameter and those below it.
    pub struct Tree<'a> {
        /// Name of the parameter, an OBIS code.
        pub name: &'a [u8] = "parameter",
        /// Its value.
        pub value: Option<Nested<'a, ParameterValue<'a>>> = "value",
        /// The parameters below it.
        pub children: Option<Sequence<'a, Tree<'a>>> = "children",
    }
}

/// `SML_ProcParValue` (SML 1.04, 6.2.12): a choice, `72 62 NN` and an element.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ParameterValue<'a> {
    /// 01: a plain value.
    Value(Value<'a>),
    /// 02: a value of a profile.
    PeriodEntry(PeriodEntry<'a>),
    /// 04: a time.
    Time(Time),
    /// 05: a register.
    ListEntry(ListEntry<'a>),
    /// Another choice, 03 (the 23 fields of `SML_TupelEntry`) among them.
    Other {
        /// Number of the choice.
        choice: Integer,
        /// The element.
        element: Any<'a>,
    },
}

impl<'a> Wire<'a> for ParameterValue<'a> {
    fn parse(reader: &mut Reader<'a>) -> Result<Self, Error> {
        reader.list(2)?;
        let choice = Integer::parse(reader)?;
        Ok(match choice.as_u64() {
            Some(1) => Self::Value(Value::parse(reader)?),
            Some(2) => Self::PeriodEntry(PeriodEntry::parse(reader)?),
            Some(4) => Self::Time(Time::parse(reader)?),
            Some(5) => Self::ListEntry(ListEntry::parse(reader)?),
            _ => Self::Other {
                choice,
                element: Any::parse(reader)?,
            },
        })
    }

    fn emit(&self, writer: &mut Writer<'_>) -> Result<(), Full> {
        writer.list(2)?;
        let choice = match self {
            Self::Value(_) => Integer::unsigned(1),
            Self::PeriodEntry(_) => Integer::unsigned(2),
            Self::Time(_) => Integer::unsigned(4),
            Self::ListEntry(_) => Integer::unsigned(5),
            Self::Other { choice, .. } => *choice,
        };
        choice.emit(writer)?;
        match self {
            Self::Value(value) => value.emit(writer),
            Self::PeriodEntry(entry) => entry.emit(writer),
            Self::Time(time) => time.emit(writer),
            Self::ListEntry(entry) => entry.emit(writer),
            Self::Other { element, .. } => element.emit(writer),
        }
    }
}

impl Show for ParameterValue<'_> {
    fn show(&self, out: &mut Outline<'_, '_>) -> core::fmt::Result {
        match self {
            Self::Value(value) => value.show(out),
            Self::PeriodEntry(entry) => entry.show(out),
            Self::Time(time) => time.show(out),
            Self::ListEntry(entry) => entry.show(out),
            Self::Other { element, .. } => element.show(out),
        }
    }
}

/// Whether messages of a kind are read. On a chip, with the feature `small`, those are the ones
/// that meters send unasked; the others take more code than the rest of the crate.
const fn is_read(tag: u64) -> bool {
    !cfg!(feature = "small") || matches!(tag, 0x0101 | 0x0201 | 0x0701)
}

/// Declares [`Body`] and what goes with it from one table.
macro_rules! bodies {
    ($( $tag:literal $variant:ident($type:ident) $label:literal )+) => {
        /// What a message says.
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub enum Body<'a> {
            $(
                #[doc = concat!("`", $label, "`, see [`", stringify!($type), "`].")]
                $variant($type<'a>),
            )+
            /// A message of a kind that this library does not know.
            Unknown {
                /// Its tag.
                tag: u64,
                /// Its content.
                element: Any<'a>,
            },
        }

        impl<'a> Body<'a> {
            /// The number that says which kind of message it is.
            #[must_use]
            pub fn tag(&self) -> u64 {
                match self {
                    $( Self::$variant(_) => $tag, )+
                    Self::Unknown { tag, .. } => *tag,
                }
            }

            /// The name of the kind of message, as in the specification.
            #[must_use]
            pub fn name(&self) -> &'static str {
                match self {
                    $( Self::$variant(_) => $label, )+
                    Self::Unknown { .. } => "unknown message",
                }
            }

            fn parse_any(tag: u64, reader: &mut Reader<'a>) -> Result<Self, Error> {
                match tag {
                    $( $tag if is_read($tag) => $type::parse(reader).map(Self::$variant), )+
                    _ => Any::parse(reader).map(|element| Self::Unknown { tag, element }),
                }
            }

            pub(crate) fn emit(&self, writer: &mut Writer<'_>) -> Result<(), Full> {
                match self {
                    $( Self::$variant(body) => body.emit(writer), )+
                    Self::Unknown { element, .. } => element.emit(writer),
                }
            }
        }

        impl Show for Body<'_> {
            fn show(&self, out: &mut Outline<'_, '_>) -> core::fmt::Result {
                match self {
                    $( Self::$variant(body) => body.show(out), )+
                    Self::Unknown { element, .. } => element.show(out),
                }
            }
        }
    };
}

bodies! {
    0x0701 GetListRes(GetListRes) "GetList.Res"
    0x0101 OpenRes(OpenRes) "PublicOpen.Res"
    0x0201 CloseRes(CloseRes) "PublicClose.Res"
    0x0100 OpenReq(OpenReq) "PublicOpen.Req"
    0x0200 CloseReq(CloseReq) "PublicClose.Req"
    0x0300 GetProfilePackReq(GetProfileReq) "GetProfilePack.Req"
    0x0301 GetProfilePackRes(GetProfilePackRes) "GetProfilePack.Res"
    0x0400 GetProfileListReq(GetProfileReq) "GetProfileList.Req"
    0x0401 GetProfileListRes(GetProfileListRes) "GetProfileList.Res"
    0x0500 GetProcParameterReq(GetProcParameterReq) "GetProcParameter.Req"
    0x0501 GetProcParameterRes(GetProcParameterRes) "GetProcParameter.Res"
    0x0600 SetProcParameterReq(SetProcParameterReq) "SetProcParameter.Req"
    0x0700 GetListReq(GetListReq) "GetList.Req"
    0xff01 Attention(AttentionRes) "Attention.Res"
}

impl<'a> Body<'a> {
    #[cfg_attr(not(feature = "small"), inline(always))]
    pub(crate) fn parse(tag: u64, reader: &mut Reader<'a>) -> Result<Self, Error> {
        match tag {
            0x0701 => GetListRes::parse(reader).map(Self::GetListRes),
            0x0101 => OpenRes::parse(reader).map(Self::OpenRes),
            0x0201 => CloseRes::parse(reader).map(Self::CloseRes),
            _ => reader.rarely(|reader| Self::parse_any(tag, reader)),
        }
    }
}
