//! The attribute `#[message]`: what makes two messages the same, and what does not.
#![allow(dead_code, reason = "of most messages only the tag is of interest")]

use res_api::zerocopy::{IntoBytes, TryFromBytes};
use res_api::{LAYOUT_SEED, Message, Name, Tag, layout_hash, message};

/// What all the others are compared with.
#[message("count", version = 1)]
#[derive(Debug, PartialEq, Eq)]
struct Count {
    lines: u64,
    bytes: u32,
    words: u32,
}

/// One difference each.
mod other {
    use res_api::message;

    #[message("amount", version = 1)]
    pub(crate) struct Name {
        lines: u64,
        bytes: u32,
        words: u32,
    }

    #[message("count", version = 2)]
    pub(crate) struct Version {
        lines: u64,
        bytes: u32,
        words: u32,
    }

    #[message("count", version = 1)]
    pub(crate) struct FieldName {
        lines: u64,
        bytes: u32,
        letters: u32,
    }

    #[message("count", version = 1)]
    pub(crate) struct FieldOrder {
        lines: u64,
        words: u32,
        bytes: u32,
    }

    #[message("count", version = 1)]
    pub(crate) struct FieldType {
        lines: u64,
        bytes: u32,
        words: i32,
    }

    #[message("count", version = 1)]
    pub(crate) struct Size {
        lines: u64,
        bytes: u32,
        words: u32,
        pages: u64,
    }

    #[message("count", version = 1)]
    pub(crate) struct Align {
        lines: [u32; 2],
        bytes: u32,
        words: u32,
    }
}

#[test]
fn a_tag_says_what_was_declared_and_how_it_lies() {
    let Tag { name, version, size, align, .. } = Count::TAG;
    assert_eq!((name.as_str(), version, size, align), ("count", 1, 16, align_of::<u64>() as u32));
    let shown = format!("{:?}", Count::TAG);
    assert!(shown.starts_with("count v1 (16 bytes, aligned to 8, layout "), "{shown}");
    assert_eq!(shown, Count::TAG.to_string());
}

#[test]
fn every_difference_makes_another_tag() {
    let tags = [
        Count::TAG,
        other::Name::TAG,
        other::Version::TAG,
        other::FieldName::TAG,
        other::FieldOrder::TAG,
        other::FieldType::TAG,
        other::Size::TAG,
        other::Align::TAG,
    ];
    for (at, tag) in tags.iter().enumerate() {
        assert!(!tags[..at].contains(tag), "{tag}");
    }
    // Each where it belongs.
    assert_eq!(Tag { name: Count::TAG.name, ..other::Name::TAG }, Count::TAG);
    assert_eq!(Tag { version: 1, ..other::Version::TAG }, Count::TAG);
    for same_bytes in [other::FieldName::TAG, other::FieldOrder::TAG, other::FieldType::TAG] {
        assert_eq!(Tag { layout: Count::TAG.layout, ..same_bytes }, Count::TAG);
    }
    assert_eq!(other::Size::TAG.size, 24);
    assert_eq!((other::Align::TAG.size, other::Align::TAG.align), (16, 4));
}

#[test]
fn declared_twice_it_is_the_same() {
    mod again {
        /// Other words, another place, another visibility, and the Rust name does not matter.
        #[res_api::message("count", version = 1)]
        #[doc(hidden)]
        pub(crate) struct Zaehler {
            /// How many lines.
            #[doc(alias = "rows")]
            pub(crate) lines: u64,
            #[allow(dead_code)]
            bytes: ::core::primitive::u32,
            /// Not in any build.
            #[cfg(false)]
            pages: u64,
            #[cfg(true)]
            words: u32,
        }
    }
    assert_eq!(again::Zaehler::TAG, Count::TAG);
}

/// Of every way in which a field can be: at an offset that is not the sum of whole words.
#[message("pinned", version = 7)]
struct Pinned {
    lines: u64,
    bytes: [u8; 5],
    ended: bool,
    columns: u16,
}

#[test]
fn the_layout_is_what_was_computed_by_hand() {
    // Published vectors of FNV-1a.
    assert_eq!(layout_hash(LAYOUT_SEED, b""), 0xcbf2_9ce4_8422_2325);
    assert_eq!(layout_hash(LAYOUT_SEED, b"a"), 0xaf63_dc4c_8601_ec8c);
    assert_eq!(layout_hash(LAYOUT_SEED, b"foobar"), 0x8594_4171_f739_67e8);
    // It may not change: another program, built by another compiler, has the same.
    assert_eq!(Pinned::TAG.layout, 0xdbf9_f0d8_66d8_ae4d);
    assert_eq!(Pinned::TAG.size, 16);
}

#[test]
fn what_it_is_made_of_counts() {
    mod feet {
        #[res_api::message("feet", version = 1)]
        pub(crate) struct Length {
            value: u64,
        }
    }
    mod metres {
        #[res_api::message("metres", version = 1)]
        pub(crate) struct Length {
            value: u64,
        }
    }
    mod metres_2 {
        #[res_api::message("metres", version = 2)]
        pub(crate) struct Length {
            value: u64,
        }
    }
    mod millimetres {
        #[res_api::message("metres", version = 1)]
        pub(crate) struct Length {
            thousandths: u64,
        }
    }
    macro_rules! road {
        ($length:ty) => {{
            #[message("road", version = 1)]
            struct Road {
                number: u64,
                length: $length,
            }
            Road::TAG
        }};
    }
    let tags = [
        road!(u64),
        road!(feet::Length),
        road!(metres::Length),
        road!(metres_2::Length),
        road!(millimetres::Length),
        road!([metres::Length; 1]),
    ];
    for (at, tag) in tags.iter().enumerate() {
        assert!(tags[..at].iter().all(|other| other.layout != tag.layout), "{tag}");
        assert_eq!((tag.name, tag.size, tag.align), (tags[0].name, 16, 8));
    }
    assert_eq!(road!(metres::Length), tags[2]);
}

#[test]
fn arrays_are_told_apart() {
    let tags = [
        u8::TAG,
        u64::TAG,
        <[u8; 8]>::TAG,
        <[[u8; 2]; 4]>::TAG,
        <[[u8; 4]; 2]>::TAG,
        <[u32; 2]>::TAG,
        <[i32; 2]>::TAG,
        <[u8; 0]>::TAG,
        <[u64; 0]>::TAG,
        <()>::TAG,
        <[(); 8]>::TAG,
        <[Count; 2]>::TAG,
        Count::TAG,
        Tag::NONE,
    ];
    for (at, tag) in tags.iter().enumerate() {
        assert!(!tags[..at].contains(tag), "{tag}");
    }
    let size_and_align = |tag: Tag| (tag.size, tag.align);
    assert_eq!(size_and_align(<[Count; 3]>::TAG), (48, 8));
    assert_eq!(size_and_align(<[u64; 0]>::TAG), (0, 8));
    assert_eq!(size_and_align(<[[u16; 3]; 5]>::TAG), (30, 2));
}

#[test]
fn integers_are_told_apart() {
    let tags = [
        u8::TAG,
        u16::TAG,
        u32::TAG,
        u64::TAG,
        u128::TAG,
        i8::TAG,
        i16::TAG,
        i32::TAG,
        i64::TAG,
        i128::TAG,
        f32::TAG,
        f64::TAG,
        bool::TAG,
    ];
    for (at, tag) in tags.iter().enumerate() {
        assert!(tags[..at].iter().all(|other| other.layout != tag.layout), "{tag}");
    }
}

#[test]
fn a_message_may_have_no_bytes() {
    #[message("nothing", version = 1)]
    struct Nothing {}

    #[message("still nothing", version = 1)]
    struct Still {
        nothing: Nothing,
        token: (),
        none: [u8; 0],
    }

    assert_eq!((Nothing::TAG.size, Nothing::TAG.align), (0, 1));
    assert_eq!((Still::TAG.size, Still::TAG.align), (0, 1));
    assert_ne!(Nothing::TAG, <()>::TAG);
    assert!(Nothing {}.as_bytes().is_empty());
    assert!(Still::try_read_from_bytes(&[]).is_ok());
}

#[test]
fn bytes_become_a_message_only_if_they_are_one() {
    let count = Count { lines: 1, bytes: 2, words: 3 };
    let copy = count;
    let bytes = count.as_bytes();
    assert_eq!(bytes[..8], 1_u64.to_ne_bytes());
    assert_eq!(bytes[8..12], 2_u32.to_ne_bytes());
    assert_eq!(bytes[12..], 3_u32.to_ne_bytes());
    assert_eq!(Count::try_read_from_bytes(bytes).ok(), Some(copy));
    assert!(Count::try_read_from_bytes(&bytes[1..]).is_err());

    let mut bytes = [0; 16];
    for ended in 0..=u8::MAX {
        bytes[13] = ended;
        assert_eq!(Pinned::try_read_from_bytes(&bytes).is_ok(), ended <= 1, "{ended}");
    }
}

#[test]
fn any_derive_may_stand_beside_it() {
    #[derive(Debug, PartialEq)]
    #[message("point", version = 1)]
    #[derive(Default)]
    struct Point {
        x: f32,
        y: f32,
    }

    assert_eq!(Point::default(), Point { x: 0.0, y: 0.0 });
    assert_eq!(format!("{:?}", Point { x: 1.0, y: 2.0 }), "Point { x: 1.0, y: 2.0 }");
}

#[test]
fn a_name_may_be_as_long_as_any() {
    #[message("exactly thirty-one bytes, äö.", version = 4_294_967_295)]
    struct Long {
        value: u8,
    }

    let name = "exactly thirty-one bytes, äö.";
    assert_eq!(name.len(), 31);
    assert_eq!(Long::TAG.name, Name::parse(name).unwrap());
    assert_eq!(Long::TAG.version, u32::MAX);
}

#[test]
fn a_length_may_be_computed_and_a_type_have_another_name() {
    const LEN: usize = 3;
    type Text = [u8; 2 * LEN];

    #[message("computed", version = 1)]
    struct Computed {
        text: Text,
        rest: [u16; {
            let less = LEN - 1;
            less - 1
        }],
        four: [u8; size_of::<u32>()],
    }

    assert_eq!((Computed::TAG.size, Computed::TAG.align), (12, 2));
}

/// Nothing that the attribute writes depends on what its user has called something.
mod hygiene {
    #[test]
    fn names_are_the_users() {
        assert_eq!(<bare::Mine as res_api::Message>::TAG.size, 16);
        assert_eq!(<bare::Mine as res_api::Message>::TAG.name.as_str(), "mine");
    }

    #[allow(non_upper_case_globals, unused_macros, reason = "in the way")]
    #[no_implicit_prelude]
    mod bare {
        mod core {}
        mod std {}
        mod zerocopy {}
        mod res_api {}
        trait Clone {}
        trait Copy {}
        trait Message {}
        trait IntoBytes {}
        struct Tag;
        struct Name;
        const hash: u8 = 1;
        const name: u8 = 1;
        const layout: u8 = 1;
        const LAYOUT_SEED: u8 = 1;
        fn layout_hash() {}
        fn size_of() {}
        macro_rules! offset_of {
            () => {};
        }

        #[::res_api::message("mine", version = 1)]
        pub(crate) struct Mine {
            value: u64,
            inner: Inner,
        }

        #[::res_api::message("inner", version = 1)]
        pub(crate) struct Inner {
            valid: bool,
            rest: [u8; 7],
        }
    }

    /// A type of a user may be called like one that is no message, if it is named by a path.
    #[test]
    fn a_path_is_not_taken_for_the_prelude() {
        type String = [u8; 32];

        mod plain {
            pub(crate) type String = super::StringOf32;
        }

        #[res_api::message("text", version = 1)]
        struct Text {
            text: plain::String,
        }

        assert_eq!(<Text as res_api::Message>::TAG.size as usize, size_of::<String>());
    }

    type StringOf32 = [u8; 32];

    /// Code that forbids `unsafe` can have messages.
    #[forbid(unsafe_code)]
    mod without_unsafe {
        #[res_api::message("safe", version = 1)]
        pub(crate) struct Safe {
            pub(crate) value: u64,
        }
    }

    #[test]
    fn safe_code_can_have_messages() {
        assert_eq!(without_unsafe::Safe { value: 1 }.value, 1);
    }
}
