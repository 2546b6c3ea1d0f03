//! A short text without an allocator.

use core::fmt;

/// Up to `N` bytes of text. What does not fit is cut off at a character, and the write reports it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Text<const N: usize> {
    bytes: [u8; N],
    len: u8,
}

impl<const N: usize> Default for Text<N> {
    fn default() -> Self {
        const { assert!(N <= u8::MAX as usize) };
        Self { bytes: [0; N], len: 0 }
    }
}

impl<const N: usize> Text<N> {
    pub(crate) fn as_str(&self) -> &str {
        // Only whole characters are written, so this is text.
        core::str::from_utf8(&self.bytes[..usize::from(self.len)]).unwrap_or_default()
    }
}

impl<const N: usize> fmt::Write for Text<N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let start = usize::from(self.len);
        let fits = text.floor_char_boundary_at(N - start);
        self.bytes[start..start + fits].copy_from_slice(&text.as_bytes()[..fits]);
        self.len = (start + fits) as u8;
        if fits == text.len() { Ok(()) } else { Err(fmt::Error) }
    }
}

trait FloorCharBoundary {
    fn floor_char_boundary_at(&self, at: usize) -> usize;
}

impl FloorCharBoundary for str {
    fn floor_char_boundary_at(&self, at: usize) -> usize {
        (0..=at.min(self.len())).rev().find(|at| self.is_char_boundary(*at)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use core::fmt::Write;

    use super::*;

    #[test]
    fn what_does_not_fit_is_cut_at_a_character() {
        let mut text = Text::<4>::default();
        assert!(text.write_str("aä").is_ok());
        assert!(text.write_str("öx").is_err());
        assert_eq!(text.as_str(), "aä");
    }
}
