//! Enumerations that clients and the database write as words.

macro_rules! string_enum {
    ($type:ident { $($variant:ident $name:literal),+ $(,)? }) => {
        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }

        impl $type {
            /// Every value, in the order of its life.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// As clients and the database write it.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// The value of this name.
            pub fn parse(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.name() == name)
            }
        }
    };
}
pub(crate) use string_enum;
