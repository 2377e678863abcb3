//! One option without its value.

/// A row of an options struct. The functions of this module begin it, its
/// methods say more, and the macro adds name and help.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The JSON key; empty when only a flag sets the option.
    pub key: &'static str,
    /// The flag's name without dashes; empty when only JSON sets the option.
    pub flag: &'static str,
    /// The name of the positional arguments that set the option, too.
    pub positional: &'static str,
    /// The name of the flag's value; empty for the type's own.
    pub value_name: &'static str,
    /// The value that the flag has when it is not given, where the initial value
    /// is another: JSON never gets it (contract O-6).
    pub flag_default: Option<&'static str>,
    /// How an object is spread over JSON and flags.
    pub shape: Shape,
    /// Written as JSON even when it has its initial value.
    pub is_always_written: bool,
    in_force: Option<fn() -> String>,
    help: &'static str,
    has_key: bool,
}

/// How an option that is an object is spread over JSON and flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A plain value.
    Value,
    /// An object under its key, whose options are flags under this heading.
    Object(&'static str),
    /// An object whose keys stand among those around it, flags as above.
    Inline(&'static str),
    /// An object, or a list of them, that one flag gives as JSON.
    Json,
}

const EMPTY: Field = Field {
    key: "",
    flag: "",
    positional: "",
    value_name: "",
    flag_default: None,
    shape: Shape::Value,
    is_always_written: false,
    in_force: None,
    help: "",
    has_key: true,
};

/// Begins an option with a flag.
pub const fn flag(name: &'static str) -> Field {
    Field { flag: name, ..EMPTY }
}

/// Begins an option without a flag.
pub const fn key_only() -> Field {
    EMPTY
}

/// Begins an option that positional arguments set.
pub const fn positional(name: &'static str) -> Field {
    Field { positional: name, ..EMPTY }
}

/// Begins an object whose options are flags under `heading`. With
/// [`Field::switch`] a flag makes it present without any of them.
pub const fn object(heading: &'static str) -> Field {
    Field { shape: Shape::Object(heading), ..EMPTY }
}

/// Begins an object whose keys stand among those around it.
pub const fn inline(heading: &'static str) -> Field {
    Field { shape: Shape::Inline(heading), has_key: false, ..EMPTY }
}

/// Begins an object, or a list of objects, that a flag gives as JSON.
pub const fn json_flag(name: &'static str) -> Field {
    Field { flag: name, value_name: "JSON", shape: Shape::Json, ..EMPTY }
}

impl Field {
    /// Sets the JSON key where it is not the field's name.
    #[must_use]
    pub const fn key(mut self, key: &'static str) -> Self {
        self.key = key;
        self
    }

    /// Leaves the option out of JSON.
    #[must_use]
    pub const fn no_key(mut self) -> Self {
        self.has_key = false;
        self
    }

    /// Sets the name of the flag's value, such as `BYTES`.
    #[must_use]
    pub const fn value(mut self, name: &'static str) -> Self {
        self.value_name = name;
        self
    }

    /// Says what is in force when the option is not given, where that is not the
    /// initial value itself.
    #[must_use]
    pub const fn default(mut self, in_force: fn() -> String) -> Self {
        self.in_force = Some(in_force);
        self
    }

    /// Sets the value of a flag that is not given (contract O-6).
    #[must_use]
    pub const fn flag_default(mut self, value: &'static str) -> Self {
        self.flag_default = Some(value);
        self
    }

    /// Adds the flag that makes an optional object present.
    #[must_use]
    pub const fn switch(mut self, flag: &'static str) -> Self {
        self.flag = flag;
        self
    }

    /// Lets positional arguments set the option, too.
    #[must_use]
    pub const fn or_positional(mut self, name: &'static str) -> Self {
        self.positional = name;
        self
    }

    /// Writes the option even when it has its initial value.
    #[must_use]
    pub const fn always(mut self) -> Self {
        self.is_always_written = true;
        self
    }

    /// Adds what the macro knows: the field's name and its documentation.
    #[doc(hidden)]
    #[must_use]
    pub const fn named(mut self, name: &'static str, help: &'static str) -> Self {
        if self.has_key && self.key.is_empty() {
            self.key = name;
        }
        self.help = help.trim_ascii();
        self
    }

    /// The meaning of the option in one sentence, without a full stop.
    pub fn help(&self) -> &'static str {
        self.help.strip_suffix('.').unwrap_or(self.help)
    }

    /// The value in force when the option is not given, where the initial value
    /// does not say it.
    pub fn in_force(&self) -> Option<String> {
        self.in_force.map(|text| text())
    }
}

/// A number of bytes for people: `64 MiB` where it is round.
pub fn bytes(number: impl TryInto<u64>) -> String {
    let number = number.try_into().unwrap_or(u64::MAX);
    for (unit, shift) in [("GiB", 30), ("MiB", 20), ("KiB", 10)] {
        if number != 0 && number.trailing_zeros() >= shift {
            return format!("{} {unit}", number >> shift);
        }
    }
    number.to_string()
}
