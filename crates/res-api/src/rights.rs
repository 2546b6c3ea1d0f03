//! What a capability allows.

use bitflags::bitflags;

bitflags! {
    /// What the holder of a capability may do. Rights only ever get fewer on the way.
    ///
    /// ```
    /// use res_api::Rights;
    ///
    /// let given = Rights::READ | Rights::WRITE;
    /// assert_eq!(given & Rights::READ, Rights::READ);
    /// assert!(!Rights::READ.contains(given));
    /// ```
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct Rights: u32 {
        /// Read from it: memory, a file, a receiver's messages.
        const READ = 1 << 0;
        /// Write to it: memory, a sender's messages.
        const WRITE = 1 << 1;
        /// Hand it on to somebody else.
        const TRANSFER = 1 << 2;
        /// Make another one like it.
        const DUPLICATE = 1 << 3;
        /// Start, stop and set parameters (threads, components).
        const CONTROL = 1 << 4;
    }

    /// What kind of channel an end belongs to, and which end it is.
    ///
    /// ```
    /// use res_api::ChanFlags;
    ///
    /// let end = ChanFlags::SND | ChanFlags::CHAN;
    /// assert!(end.contains(ChanFlags::CHAN));
    /// ```
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct ChanFlags: u32 {
        /// The sending end.
        const SND = 1 << 0;
        /// The receiving end.
        const RCV = 1 << 1;
        /// Carries capabilities instead of data.
        const CHAN = 1 << 2;
        /// Never leaves its component.
        const LOCAL = 1 << 3;
        /// Several may share an end.
        const MULTI = 1 << 4;
    }
}
