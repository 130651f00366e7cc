//! Small types that several groups share: open enums, references, text that is absent when empty.

use serde::{Deserialize, Deserializer, Serialize};

pub use k8s_openapi::api::core::v1::ObjectReference;
pub use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, OwnerReference, Time};

/// Declares a string enum that keeps values it does not know.
///
/// A value that a newer peer writes must not make the object unreadable, so every enum on the wire has `Other`.
/// The schema lists the known values only: the API server refuses the rest on writes.
///
/// ```
/// api::open_enum! {
///     /// How a disk turns.
///     pub enum Spin {
///         /// It does not.
///         Still = "still",
///         /// It does.
///         Turning = "turning",
///     }
/// }
/// assert_eq!(Spin::from("turning"), Spin::Turning);
/// assert_eq!(Spin::from("backwards").as_str(), "backwards");
/// ```
#[macro_export]
macro_rules! open_enum {
    ($(#[$meta:meta])* pub enum $name:ident { $($(#[$vmeta:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$vmeta])* $variant,)+
            /// A value that this version does not know; kept as it was read.
            Other(String),
        }

        impl $name {
            /// All known values as they are written.
            pub const KNOWN: &'static [&'static str] = &[$($text),+];

            /// The text on the wire.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)+
                    Self::Other(text) => text,
                }
            }

            /// Whether this version knows the value.
            pub fn is_known(&self) -> bool {
                !matches!(self, Self::Other(_))
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                match text {
                    $($text => Self::$variant,)+
                    other => Self::Other(other.to_owned()),
                }
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self::from(text.as_str())
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl ::serde::Serialize for $name {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                <String as ::serde::Deserialize>::deserialize(deserializer).map(Self::from)
            }
        }

        impl ::schemars::JsonSchema for $name {
            fn schema_name() -> ::std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut ::schemars::SchemaGenerator) -> ::schemars::Schema {
                ::schemars::json_schema!({ "type": "string", "enum": Self::KNOWN })
            }
        }
    };
}

/// Lets an object without a spec be read: it gets the default one.
///
/// The published schemas do not require `spec`, so an object without it is legal and must not be unreadable. The spec
/// type derives serde's traits with `#[serde(remote = "Self")]`, which makes them functions of the type; this macro
/// makes the traits of them.
#[macro_export]
macro_rules! absent_spec_is_default {
    ($spec:ident) => {
        impl ::serde::Serialize for $spec {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                Self::serialize(self, serializer)
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $spec {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct OrDefault;

                impl<'de> ::serde::de::Visitor<'de> for OrDefault {
                    type Value = $spec;

                    fn expecting(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                        f.write_str("a spec")
                    }
                    fn visit_none<E: ::serde::de::Error>(self) -> Result<$spec, E> {
                        Ok($spec::default())
                    }
                    fn visit_unit<E: ::serde::de::Error>(self) -> Result<$spec, E> {
                        Ok($spec::default())
                    }
                    fn visit_some<D: ::serde::Deserializer<'de>>(self, deserializer: D) -> Result<$spec, D::Error> {
                        $spec::deserialize(deserializer)
                    }
                }

                // Serde's derive asks for a missing member as for an option.
                deserializer.deserialize_option(OrDefault)
            }
        }
    };
}

/// Reads optional text; empty text is the same as none, because Go peers write and read both alike.
///
/// Use with `#[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]` on
/// `Option<String>` and on options of open enums.
pub fn text<'de, D: Deserializer<'de>, T: From<String>>(deserializer: D) -> Result<Option<T>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.filter(|text| !text.is_empty()).map(T::from))
}

/// Reads a value where null means its default, as Go peers write an unset struct, list or map.
pub fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// Whether a value is the default one; for `skip_serializing_if`.
pub fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Whether a flag is off; for `skip_serializing_if`.
#[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
pub fn is_false(value: &bool) -> bool {
    !*value
}

/// A reference to a Secret, with the namespace field that the published API has.
///
/// The namespace must be empty or the one of the object that holds the reference. Read the reference only through
/// [`SecretReference::name_in`], which refuses any other.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
pub struct SecretReference {
    /// Name of the Secret.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Namespace of the Secret: leave it out, or repeat the namespace of the object that refers to it.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// A Secret reference that points into another namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherNamespace {
    /// The namespace it points to.
    pub namespace: String,
}

impl std::fmt::Display for OtherNamespace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "refers to a Secret in namespace {:?}; a Secret is only read from the object's own namespace: copy it there \
             and leave the namespace out",
            self.namespace
        )
    }
}

impl std::error::Error for OtherNamespace {}

impl SecretReference {
    /// A reference inside the own namespace.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), namespace: None }
    }

    /// The Secret's name for a holder in `own` namespace; `None` when no name is given.
    pub fn name_in(&self, own: &str) -> Result<Option<&str>, OtherNamespace> {
        match &self.namespace {
            Some(other) if other != own => Err(OtherNamespace { namespace: other.clone() }),
            Some(_) | None => Ok(self.name.as_deref()),
        }
    }
}
