//! How a component ends.

use core::fmt::{self, Write};
use core::panic::Location;

use crate::ErrorKind;
use crate::error::kind_of;
use crate::text::Text;

/// Why a component failed: a kind, where in its source, and a short text. Needs no allocator.
///
/// `?` makes one of any error, in a component and in `main`:
///
/// ```
/// use res_api::{ErrorKind, Fault};
///
/// fn parse(text: &str) -> Result<u32, Fault> {
///     Ok(text.parse::<u32>()?)
/// }
/// let fault = parse("x").unwrap_err();
/// assert_eq!(fault.kind(), ErrorKind::Other);
/// assert_eq!(fault.text(), "invalid digit found in string");
/// assert!(fault.location().file().ends_with(".rs"));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    kind: ErrorKind,
    location: &'static Location<'static>,
    text: Text<{ Self::TEXT }>,
}

impl Fault {
    /// Bytes of text at most; the rest is cut off.
    pub const TEXT: usize = 96;

    /// A fault of that kind, here.
    #[track_caller]
    pub fn new(kind: ErrorKind, text: impl fmt::Display) -> Self {
        Self::at(Location::caller(), kind, &text)
    }

    fn at(location: &'static Location<'static>, kind: ErrorKind, text: &dyn fmt::Display) -> Self {
        let mut fault = Self { kind, location, text: Text::default() };
        // Too long a text is cut off.
        let _ = write!(fault.text, "{text}");
        fault
    }

    /// The class of the failure.
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Where in the source it was made, as a rule by a `?`.
    pub const fn location(&self) -> &'static Location<'static> {
        self.location
    }

    /// What the error said, cut off after [`TEXT`](Self::TEXT) bytes.
    pub fn text(&self) -> &str {
        self.text.as_str()
    }
}

impl<E: core::error::Error + 'static> From<E> for Fault {
    #[track_caller]
    fn from(error: E) -> Self {
        Self::at(Location::caller(), kind_of(&error), &error)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.text(), self.location)
    }
}

/// `main` prints this form.
impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.kind)
    }
}

/// How a component or a thread ended.
///
/// ```
/// use res_api::{ErrorKind, Exit, Fault};
///
/// assert!(Exit::from(()).is_success());
/// let failed = Exit::from(Err(Fault::new(ErrorKind::Invalid, "no input")));
/// assert!(failed.ok().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It returned.
    Success,
    /// It returned a fault.
    Failed(Fault),
    /// It panicked, or was killed.
    Died,
}

impl Exit {
    /// Whether it returned without a fault.
    pub const fn is_success(self) -> bool {
        matches!(self, Self::Success)
    }

    /// As a result, so that `component.wait(..)?.ok()?` works.
    ///
    /// # Errors
    ///
    /// The fault that it returned, or one of kind [`ErrorKind::PeerGone`] if it died.
    #[track_caller]
    pub fn ok(self) -> Result<(), Fault> {
        match self {
            Self::Success => Ok(()),
            Self::Failed(fault) => Err(fault),
            Self::Died => Err(Fault::new(ErrorKind::PeerGone, "it died")),
        }
    }
}

impl From<()> for Exit {
    fn from((): ()) -> Self {
        Self::Success
    }
}

impl From<Result<(), Fault>> for Exit {
    fn from(result: Result<(), Fault>) -> Self {
        match result {
            Ok(()) => Self::Success,
            Err(fault) => Self::Failed(fault),
        }
    }
}
