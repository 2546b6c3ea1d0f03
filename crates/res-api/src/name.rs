//! Names by which components find what they were given and each other.

use core::fmt;

use crate::ErrorKind;

/// A name: up to 31 bytes of text, of fixed size, made at compile time where it is known then.
///
/// Names that begin with `.` belong to layers of backends: components cannot make one with
/// [`new`](Name::new) or parse one.
///
/// ```
/// use res_api::Name;
///
/// const LINES: Name = Name::new("lines");
/// assert_eq!(LINES.as_str(), "lines");
/// assert!(Name::parse(".manager").is_err());
/// assert!(Name::parse("a name of far more than thirty-one bytes").is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Name([u8; Self::SIZE]);

impl Name {
    /// Bytes that a name takes; the last one is 0.
    pub const SIZE: usize = 32;

    /// A name known at compile time; use it in a `const`.
    ///
    /// # Panics
    ///
    /// If it is empty, longer than 31 bytes, holds a zero byte or begins with `.`; in a `const`
    /// that is an error of the compiler. [`parse`](Self::parse) does not panic.
    #[track_caller]
    pub const fn new(text: &str) -> Self {
        match Self::checked(text, false) {
            Some(name) => name,
            None => panic!("a name has 1 to 31 bytes, none of them 0, and does not begin with '.'"),
        }
    }

    /// A name that becomes known at run time.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`] if it is empty, longer than 31 bytes, holds a zero byte or begins
    /// with `.`.
    pub const fn parse(text: &str) -> Result<Self, ErrorKind> {
        match Self::checked(text, false) {
            Some(name) => Ok(name),
            None => Err(ErrorKind::Invalid),
        }
    }

    /// A name of the space reserved for layers of backends: `text` must begin with `.`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`] as for [`parse`](Self::parse), or if it does not begin with `.`.
    pub const fn reserved(text: &str) -> Result<Self, ErrorKind> {
        match Self::checked(text, true) {
            Some(name) => Ok(name),
            None => Err(ErrorKind::Invalid),
        }
    }

    /// `stem` followed by a number, such as `worker7`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`] if that is too long.
    pub fn numbered(stem: &str, number: u32) -> Result<Self, ErrorKind> {
        let mut text = crate::text::Text::<{ Self::SIZE }>::default();
        let fits = fmt::Write::write_fmt(&mut text, format_args!("{stem}{number}")).is_ok();
        if fits { Self::parse(text.as_str()) } else { Err(ErrorKind::Invalid) }
    }

    const fn checked(text: &str, reserved: bool) -> Option<Self> {
        let bytes = text.as_bytes();
        if bytes.is_empty() || bytes.len() >= Self::SIZE || (bytes[0] == b'.') != reserved {
            return None;
        }
        let mut name = [0; Self::SIZE];
        let mut at = 0;
        while at < bytes.len() {
            if bytes[at] == 0 {
                return None;
            }
            name[at] = bytes[at];
            at += 1;
        }
        Some(Self(name))
    }

    /// Of what crossed a domain; reserved ones too.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`] for what is no name.
    pub fn from_bytes(bytes: [u8; Self::SIZE]) -> Result<Self, ErrorKind> {
        let end = bytes.iter().position(|byte| *byte == 0).ok_or(ErrorKind::Invalid)?;
        let text = core::str::from_utf8(&bytes[..end]).map_err(|_| ErrorKind::Invalid)?;
        let padded = bytes[end..].iter().all(|byte| *byte == 0);
        let name = Self::checked(text, text.starts_with('.')).filter(|_| padded);
        name.ok_or(ErrorKind::Invalid)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        let end = self.0.iter().position(|byte| *byte == 0).unwrap_or(Self::SIZE);
        core::str::from_utf8(&self.0[..end]).unwrap_or("?")
    }

    /// The bytes, padded with zeroes: how it crosses a domain.
    pub const fn to_bytes(self) -> [u8; Self::SIZE] {
        self.0
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
