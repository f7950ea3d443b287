//! Units, as the numbers that DLMS gives them.

/// A unit code (DLMS Blue Book, class "Register", attribute `scaler_unit`; IEC 62056-6-2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Unit(pub u8);

impl Unit {
    /// Watt-hours: active energy.
    pub const WATT_HOUR: Self = Self(30);
    /// Watts: active power.
    pub const WATT: Self = Self(27);
    /// Volts.
    pub const VOLT: Self = Self(35);
    /// Amperes.
    pub const AMPERE: Self = Self(33);
    /// Hertz.
    pub const HERTZ: Self = Self(44);
    /// Degrees of an angle.
    pub const DEGREE: Self = Self(8);

    /// How people write the unit. `None` for codes that have no symbol (255 is a plain count) and
    /// for those that the list leaves free.
    #[must_use]
    pub const fn symbol(self) -> Option<&'static str> {
        Some(match self.0 {
            1 => "a",
            2 => "mo",
            3 => "wk",
            4 => "d",
            5 => "h",
            6 => "min",
            7 => "s",
            8 => "°",
            9 => "°C",
            11 => "m",
            12 => "m/s",
            13 | 14 => "m³",
            15 | 16 => "m³/h",
            17 | 18 => "m³/d",
            19 => "l",
            20 => "kg",
            21 => "N",
            22 => "Nm",
            23 => "Pa",
            24 => "bar",
            25 => "J",
            26 => "J/h",
            27 => "W",
            28 => "VA",
            29 => "var",
            30 => "Wh",
            31 => "VAh",
            32 => "varh",
            33 => "A",
            34 => "C",
            35 => "V",
            36 => "V/m",
            37 => "F",
            38 => "Ω",
            39 => "Ωm²/m",
            40 => "Wb",
            41 => "T",
            42 => "A/m",
            43 => "H",
            44 => "Hz",
            45 => "1/Wh",
            46 => "1/varh",
            47 => "1/VAh",
            48 => "V²h",
            49 => "A²h",
            50 => "kg/s",
            51 => "S",
            52 => "K",
            53 => "1/(V²h)",
            54 => "1/(A²h)",
            55 => "1/m³",
            56 => "%",
            57 => "Ah",
            60 => "Wh/m³",
            61 => "J/m³",
            62 => "mol%",
            63 => "g/m³",
            64 => "Pa·s",
            65 => "J/kg",
            70 => "dBm",
            71 => "dBµV",
            72 => "dB",
            _ => return None,
        })
    }
}

impl core::fmt::Display for Unit {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.symbol() {
            Some(symbol) => f.pad(symbol),
            None => write!(f, "unit {}", self.0),
        }
    }
}
