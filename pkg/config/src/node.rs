//! Reads settings from the tree of values that `config` built, without its leniency.
//!
//! `config`'s own deserializer rounds 1.5 to 2 and takes "yes" for 1. Here a text is read as a number, a truth value or a list only
//! because the environment knows nothing else, and a number is never a text (a password of 0123 would become 123).

use std::fmt;

use config::{Value, ValueKind};
use serde::de::value::{MapDeserializer, SeqDeserializer, StringDeserializer};
use serde::de::{self, Deserializer, Error as _, Expected, IntoDeserializer, Unexpected, Visitor};

/// What is wrong with a setting, without its name.
#[derive(Debug)]
pub(crate) struct Error {
    pub what: String,
    /// The key that is missing inside the place where the error is.
    pub missing: Option<&'static str>,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Error {}

impl de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self {
            what: message.to_string(),
            missing: None,
        }
    }

    /// Names the kind only: the value may be a secret that lacks its quotes.
    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let found = match found {
            Unexpected::Bool(_) => "a truth value",
            Unexpected::Unsigned(_) | Unexpected::Signed(_) | Unexpected::Float(_) => "a number",
            Unexpected::Str(_) => "a text",
            Unexpected::Unit | Unexpected::Option => "nothing",
            Unexpected::Seq => "a list",
            Unexpected::Map => "a section",
            _ => "something else",
        };
        Self::custom(format_args!("expected {expected}, found {found}"))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        match found {
            Unexpected::Str(text) => {
                Self::custom(format_args!("invalid value {text:?}, expected {expected}"))
            }
            other => Self::custom(format_args!("invalid value {other}, expected {expected}")),
        }
    }

    fn unknown_field(_: &str, expected: &'static [&'static str]) -> Self {
        if expected.is_empty() {
            return Self::custom("unknown key");
        }
        Self::custom(format_args!("unknown key; known are {}", expected.join(", ")))
    }

    fn missing_field(field: &'static str) -> Self {
        Self {
            what: "is missing".to_owned(),
            missing: Some(field),
        }
    }
}

/// One value of the tree.
pub(crate) struct Node(pub Value);

impl IntoDeserializer<'_, Error> for Node {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl Node {
    fn integer(self) -> Result<i128, Error> {
        const EXPECTED: &str = "a whole number";
        match self.0.kind {
            ValueKind::I64(number) => Ok(number.into()),
            ValueKind::U64(number) => Ok(number.into()),
            ValueKind::String(text) => text
                .trim()
                .parse()
                .map_err(|_| Error::invalid_value(Unexpected::Str(&text), &EXPECTED)),
            ValueKind::Float(number) => Err(Error::invalid_value(Unexpected::Float(number), &EXPECTED)),
            other => Err(Error::invalid_type(unexpected(&other), &EXPECTED)),
        }
    }
}

fn unexpected(kind: &ValueKind) -> Unexpected<'_> {
    match kind {
        ValueKind::Nil => Unexpected::Unit,
        ValueKind::Boolean(value) => Unexpected::Bool(*value),
        ValueKind::String(text) => Unexpected::Str(text),
        ValueKind::Table(_) => Unexpected::Map,
        ValueKind::Array(_) => Unexpected::Seq,
        _ => Unexpected::Other("a number"),
    }
}

macro_rules! integers {
    ($($method:ident $visit:ident $type:ty),* $(,)?) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            let number = self.integer()?;
            let number = <$type>::try_from(number).map_err(|_| {
                Error::custom(format_args!("{number} is not between {} and {}", <$type>::MIN, <$type>::MAX))
            })?;
            visitor.$visit(number)
        }
    )*};
}

impl<'de> Deserializer<'de> for Node {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0.kind {
            ValueKind::Nil => visitor.visit_unit(),
            ValueKind::Boolean(value) => visitor.visit_bool(value),
            ValueKind::I64(number) => visitor.visit_i64(number),
            ValueKind::U64(number) => visitor.visit_u64(number),
            ValueKind::I128(number) => visitor.visit_i128(number),
            ValueKind::U128(number) => visitor.visit_u128(number),
            ValueKind::Float(number) => visitor.visit_f64(number),
            ValueKind::String(text) => visitor.visit_string(text),
            ValueKind::Array(values) => {
                SeqDeserializer::new(values.into_iter().map(Node)).deserialize_any(visitor)
            }
            ValueKind::Table(table) => {
                // In the order of their names, so that of two mistakes always the same one is told.
                let mut entries: Vec<_> = table.into_iter().collect();
                entries.sort_by(|a, b| a.0.cmp(&b.0));
                MapDeserializer::new(entries.into_iter().map(|(key, value)| (key, Node(value))))
                    .deserialize_any(visitor)
            }
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0.kind {
            ValueKind::String(text) => match text.trim() {
                "true" => visitor.visit_bool(true),
                "false" => visitor.visit_bool(false),
                _ => Err(Error::invalid_value(Unexpected::Str(&text), &"true or false")),
            },
            _ => self.deserialize_any(visitor),
        }
    }

    integers! {
        deserialize_i8 visit_i8 i8, deserialize_i16 visit_i16 i16,
        deserialize_i32 visit_i32 i32, deserialize_i64 visit_i64 i64,
        deserialize_u8 visit_u8 u8, deserialize_u16 visit_u16 u16,
        deserialize_u32 visit_u32 u32, deserialize_u64 visit_u64 u64,
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0.kind {
            ValueKind::String(text) => match text.trim().parse::<f64>() {
                Ok(number) if number.is_finite() => visitor.visit_f64(number),
                _ => Err(Error::invalid_value(Unexpected::Str(&text), &"a number")),
            },
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0.kind {
            ValueKind::Nil => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    /// A text is a list with commas: `HOMESTAY__GATEWAY__CORS_ORIGINS=https://a.example,https://b.example`.
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0.kind {
            ValueKind::String(text) => {
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                SeqDeserializer::new(items.map(|item| Node(Value::from(item)))).deserialize_any(visitor)
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    /// Only variants without content, by their name.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.0.kind {
            ValueKind::String(text) => {
                StringDeserializer::<Error>::new(text).deserialize_enum(name, variants, visitor)
            }
            other => Err(Error::invalid_type(
                unexpected(&other),
                &format!("one of {}", variants.join(", ")).as_str(),
            )),
        }
    }

    serde::forward_to_deserialize_any! {
        i128 u128 char str string bytes byte_buf unit unit_struct tuple tuple_struct map struct identifier ignored_any
    }
}
