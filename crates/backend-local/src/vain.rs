//! Whether a group is told of a source again and again for nothing (H12).

/// What was so when the end of a source last found nothing.
#[derive(Default)]
pub(crate) struct Vain {
    /// How much it had found until then.
    found: u64,
    /// How often its group had been told of it.
    told: u64,
    /// It has been told for nothing since it last found something.
    again: bool,
}

impl Vain {
    /// It finds nothing, having found and been told so much: whether it was told for nothing. The first
    /// time since it found something is for free: who announces what has been found already keeps to
    /// the rules.
    pub(crate) fn is_told_for_nothing(&mut self, found: u64, told: u64) -> bool {
        if found != self.found {
            *self = Self { found, told, again: false };
        }
        if core::mem::replace(&mut self.told, told) == told {
            // It only looks.
            return false;
        }
        core::mem::replace(&mut self.again, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of one that has found and been told so much, one after the other.
    fn said<const N: usize>(times: [(u64, u64); N]) -> [bool; N] {
        let mut vain = Vain::default();
        times.map(|(found, told)| vain.is_told_for_nothing(found, told))
    }

    #[test]
    fn who_has_found_something_was_not_told_for_nothing() {
        assert_eq!(said([(1, 1), (2, 2), (4, 3), (5, 9)]), [false; 4]);
    }

    #[test]
    fn the_first_time_is_for_free() {
        assert_eq!(said([(1, 1), (1, 2), (2, 3), (2, 4), (3, 5)]), [false; 5]);
        assert_eq!(said([(1, 1), (1, 2), (1, 3), (1, 4)]), [false, false, true, true]);
    }

    #[test]
    fn who_only_looks_was_not_told() {
        let looks = [(1, 1), (1, 1), (1, 2), (1, 2), (1, 3), (1, 3)];
        assert_eq!(said(looks), [false, false, false, false, true, false]);
    }
}
