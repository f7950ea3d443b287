//! Serde's view of a parsed TOML value that loses no position.
//!
//! toml's own deserializer turns every refusal into a text, and serde's internally tagged enums
//! forget where a value stood. This one keeps what was refused as data ([`Fault`]), and reads an
//! enum in a table by the table's own `type` key.

use std::borrow::Cow;
use std::ops::Range;

use serde::de::value::{BorrowedStrDeserializer, StrDeserializer};
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer, MapAccess, SeqAccess,
    Unexpected, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::{Fault, Kind};

/// The key that chooses the variant of an enum.
pub(super) const TYPE: &str = "type";

/// The field of a struct that takes all keys of the table that the struct itself does not have.
/// What serde's `flatten` does, without losing positions.
pub(super) const REST: &str = "*";

/// A TOML value, and where it stands.
pub(super) struct Value<'i> {
    value: DeValue<'i>,
    span: Range<usize>,
}

impl<'i> Value<'i> {
    pub(super) fn table(table: DeTable<'i>, span: Range<usize>) -> Self {
        Self {
            value: DeValue::Table(table),
            span,
        }
    }

    fn new(value: Spanned<DeValue<'i>>) -> Self {
        Self {
            span: value.span(),
            value: value.into_inner(),
        }
    }

    fn visit<V: Visitor<'i>>(value: DeValue<'i>, visitor: V) -> Result<V::Value, Fault> {
        match value {
            DeValue::String(Cow::Borrowed(text)) => visitor.visit_borrowed_str(text),
            DeValue::String(Cow::Owned(text)) => visitor.visit_string(text),
            DeValue::Integer(number) => {
                match i64::from_str_radix(number.as_str(), number.radix()) {
                    Ok(number) => visitor.visit_i64(number),
                    Err(_) => Err(Fault::custom("this number is too large")),
                }
            }
            DeValue::Float(number) => match number.as_str().parse() {
                Ok(number) => visitor.visit_f64(number),
                Err(_) => Err(Fault::custom("this number is too large")),
            },
            DeValue::Boolean(flag) => visitor.visit_bool(flag),
            DeValue::Datetime(_) => Err(Fault::invalid_type(
                Unexpected::Other("date or time"),
                &visitor,
            )),
            DeValue::Array(items) => visitor.visit_seq(Items(items.into_iter())),
            DeValue::Table(table) => visitor.visit_map(Entries::new(table)),
        }
    }

    fn visit_variant<V: Visitor<'i>>(
        value: DeValue<'i>,
        span: &Range<usize>,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match value {
            DeValue::String(text) => visitor.visit_enum(text.into_deserializer()),
            DeValue::Table(table) => visitor.visit_enum(Tagged::new(table, span, variants)?),
            other => {
                let expected = if variants.is_empty() {
                    "a text"
                } else {
                    "a text or a table"
                };
                Err(Fault::new(Kind::WrongType {
                    expected: expected.to_owned(),
                    found: other.type_str(),
                }))
            }
        }
    }
}

impl<'de> Deserializer<'de> for Value<'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        Self::visit(self.value, visitor).map_err(|fault| fault.at(&self.span))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let span = self.span.clone();
        visitor
            .visit_newtype_struct(self)
            .map_err(|fault| fault.at(&span))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let span = self.span;
        let value = match self.value {
            DeValue::Table(table) if fields.contains(&REST) => {
                return visitor
                    .visit_map(Entries::with_rest(table, &span, fields))
                    .map_err(|fault| fault.at(&span));
            }
            other => other,
        };
        Self::visit(value, visitor).map_err(|fault| fault.at(&span))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        Self::visit_variant(self.value, &self.span, variants, visitor)
            .map_err(|fault| fault.at(&self.span))
    }

    forward_to_deserialize_any! {
        bool u8 u16 u32 u64 u128 i8 i16 i32 i64 i128 f32 f64 char str string seq bytes byte_buf
        map unit ignored_any unit_struct tuple_struct tuple identifier
    }
}

impl<'de> IntoDeserializer<'de, Fault> for Value<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// The entries of a table.
struct Entries<'i> {
    left: <DeTable<'i> as IntoIterator>::IntoIter,
    value: Option<(String, Value<'i>)>,
    /// What the field [`REST`] is read from, until it is.
    rest: Option<Value<'i>>,
    /// The other fields of a struct that has a [`REST`].
    own: Vec<&'static str>,
}

impl<'i> Entries<'i> {
    fn new(table: DeTable<'i>) -> Self {
        Self {
            left: table.into_iter(),
            value: None,
            rest: None,
            own: Vec::new(),
        }
    }

    fn with_rest(table: DeTable<'i>, span: &Range<usize>, fields: &[&'static str]) -> Self {
        let own: Vec<_> = fields.iter().copied().filter(|key| *key != REST).collect();
        let (entries, rest): (DeTable<'i>, DeTable<'i>) = table
            .into_iter()
            .partition(|(key, _)| own.contains(&key.get_ref().as_ref()));
        Self {
            rest: Some(Value::table(rest, span.clone())),
            own,
            ..Self::new(entries)
        }
    }
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Fault> {
        let Some((key, value)) = self.left.next() else {
            let Some(rest) = self.rest.take() else {
                return Ok(None);
            };
            self.value = Some((REST.to_owned(), rest));
            return seed
                .deserialize(BorrowedStrDeserializer::new(REST))
                .map(Some);
        };
        let span = key.span();
        let key = key.into_inner();
        let read = match &key {
            Cow::Borrowed(key) => seed.deserialize(BorrowedStrDeserializer::new(key)),
            Cow::Owned(key) => seed.deserialize(StrDeserializer::new(key)),
        };
        let read = read.map_err(|fault: Fault| fault.at(&span).at_key(&key))?;
        self.value = Some((key.into_owned(), Value::new(value)));
        Ok(Some(read))
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Fault> {
        let Some((key, value)) = self.value.take() else {
            return Err(Fault::custom("a value was asked for before its key"));
        };
        let span = value.span.clone();
        seed.deserialize(value).map_err(|fault| {
            let fault = fault.at(&span);
            if key == REST {
                fault.beside(&self.own)
            } else {
                fault.within(key)
            }
        })
    }
}

/// The elements of an array.
struct Items<'i>(std::vec::IntoIter<Spanned<DeValue<'i>>>);

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Fault;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Fault> {
        let Some(item) = self.0.next() else {
            return Ok(None);
        };
        seed.deserialize(Value::new(item)).map(Some)
    }
}

/// A table whose `type` names the variant, or whose only key does.
struct Tagged<'i> {
    variant: Value<'i>,
    /// The key to blame when the variant is unknown.
    blame: String,
    content: Value<'i>,
    /// The key that the content stands under, unless it is the table itself.
    inside: Option<String>,
}

impl<'i> Tagged<'i> {
    fn new(
        mut table: DeTable<'i>,
        span: &Range<usize>,
        variants: &'static [&'static str],
    ) -> Result<Self, Fault> {
        if let Some(variant) = table.remove(TYPE) {
            return Ok(Self {
                variant: Value::new(variant),
                blame: TYPE.to_owned(),
                content: Self::rest(table, span),
                inside: None,
            });
        }
        let only = table.keys().next().cloned().filter(|_| table.len() == 1);
        let Some((key, value)) = only
            .filter(|key| variants.contains(&key.get_ref().as_ref()))
            .and_then(|key| {
                table
                    .remove(key.get_ref().as_ref())
                    .map(|value| (key, value))
            })
        else {
            return Err(Fault::new(Kind::Missing {
                key: TYPE,
                allowed: variants.to_vec(),
            }));
        };
        let name = key.get_ref().clone().into_owned();
        let variant = Value {
            span: key.span(),
            value: DeValue::String(key.into_inner()),
        };
        Ok(Self {
            variant,
            blame: name.clone(),
            content: Value::new(value),
            inside: Some(name),
        })
    }

    fn rest(table: DeTable<'i>, span: &Range<usize>) -> Value<'i> {
        Value::table(table, span.clone())
    }
}

impl<'de> EnumAccess<'de> for Tagged<'de> {
    type Error = Fault;
    type Variant = Content<'de>;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Content<'de>), Fault> {
        let blame = self.blame;
        let variant = seed
            .deserialize(self.variant)
            .map_err(|fault| fault.within(blame))?;
        Ok((
            variant,
            Content {
                value: self.content,
                inside: self.inside,
            },
        ))
    }
}

/// What belongs to a variant.
struct Content<'i> {
    value: Value<'i>,
    inside: Option<String>,
}

impl Content<'_> {
    fn place(inside: Option<String>) -> impl FnOnce(Fault) -> Fault {
        |fault| match inside {
            Some(key) => fault.within(key),
            None => fault,
        }
    }
}

impl<'de> VariantAccess<'de> for Content<'de> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        match &self.value.value {
            DeValue::Table(table) => match table.keys().next() {
                None => Ok(()),
                Some(key) => Err(Fault::unknown_field(key.get_ref(), &[])
                    .at(&key.span())
                    .at_key(key.get_ref())),
            },
            other => Err(Fault::new(Kind::WrongType {
                expected: "a table".to_owned(),
                found: other.type_str(),
            })),
        }
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Fault> {
        seed.deserialize(self.value)
            .map_err(Self::place(self.inside))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value, Fault> {
        self.value
            .deserialize_any(visitor)
            .map_err(Self::place(self.inside))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.value
            .deserialize_any(visitor)
            .map_err(Self::place(self.inside))
    }
}
