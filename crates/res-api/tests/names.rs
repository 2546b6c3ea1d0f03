//! Names: what is one, and how they compare.

use std::collections::HashSet;

use res_api::{ErrorKind, Name, Slot, Value};

/// 31 bytes.
const LONGEST: &str = "0123456789012345678901234567890";

#[test]
fn a_name_has_1_to_31_bytes() {
    for len in 1..=31 {
        assert_eq!(Name::parse(&LONGEST[..len]).unwrap().as_str(), &LONGEST[..len]);
    }
    let too_long = format!("{LONGEST}1");
    for text in ["", &too_long, &too_long.repeat(10)] {
        assert_eq!(Name::parse(text), Err(ErrorKind::Invalid), "{text}");
    }
}

#[test]
fn bytes_count_and_not_characters() {
    let fits = "ä".repeat(15);
    assert_eq!(Name::parse(&fits).unwrap().as_str(), fits);
    assert!(Name::parse(&format!("{fits}x")).is_ok());
    assert!(Name::parse(&format!("{fits}ä")).is_err());
}

#[test]
fn no_byte_of_it_is_0() {
    for text in ["\0", "\0a", "a\0", "a\0b"] {
        assert_eq!(Name::parse(text), Err(ErrorKind::Invalid), "{text:?}");
        assert_eq!(Name::reserved(&format!(".{text}")), Err(ErrorKind::Invalid), "{text:?}");
    }
}

#[test]
fn names_with_a_dot_in_front_are_reserved() {
    for text in [".", ".manager", ".."] {
        assert_eq!(Name::parse(text), Err(ErrorKind::Invalid), "{text}");
        assert_eq!(Name::reserved(text).unwrap().as_str(), text);
    }
    for text in ["", "manager", "a."] {
        assert_eq!(Name::reserved(text), Err(ErrorKind::Invalid), "{text}");
    }
    assert!(Name::reserved(&format!(".{}", &LONGEST[..30])).is_ok());
    assert!(Name::reserved(&format!(".{LONGEST}")).is_err());
    // A dot elsewhere is a character as any other.
    assert_eq!(Name::parse("a.b").unwrap().as_str(), "a.b");
}

#[test]
fn a_name_can_be_numbered() {
    assert_eq!(Name::numbered("worker", 7), Name::parse("worker7"));
    assert_eq!(Name::numbered("", 0), Name::parse("0"));
    let (fits, too_long) = (&LONGEST[..21], &LONGEST[..22]);
    assert_eq!(
        Name::numbered(fits, u32::MAX).unwrap().as_str(),
        format!("{fits}{}", u32::MAX),
        "21 bytes and 10 digits are 31"
    );
    assert_eq!(Name::numbered(too_long, u32::MAX), Err(ErrorKind::Invalid));
    assert!(Name::numbered(too_long, 999_999_999).is_ok());
    assert_eq!(Name::numbered(".worker", 7), Err(ErrorKind::Invalid), "reserved");
    assert_eq!(Name::numbered("worker\0", 7), Err(ErrorKind::Invalid));
    assert_eq!(Name::numbered(&LONGEST.repeat(2), 7), Err(ErrorKind::Invalid));
}

#[test]
fn numbers_tell_names_apart() {
    let names: HashSet<Name> = (0..1000).map(|n| Name::numbered("w", n).unwrap()).collect();
    assert_eq!(names.len(), 1000);
}

#[test]
fn they_are_in_the_order_of_their_texts() {
    let texts = ["A", "a", "a ", "a.b", "a0", "aa", "aaa", "ab", "b", "z", "ä", "ö", LONGEST];
    for left in texts {
        for right in texts {
            let names = (Name::parse(left).unwrap(), Name::parse(right).unwrap());
            assert_eq!(names.0.cmp(&names.1), left.cmp(right), "{left} {right}");
            assert_eq!(names.0 == names.1, left == right);
        }
    }
}

#[test]
fn it_crosses_a_domain_padded_with_zeroes() {
    let bytes = Name::parse("ab").unwrap().to_bytes();
    assert_eq!(bytes[..2], *b"ab");
    assert_eq!(bytes[2..], [0; 30]);
    assert_eq!(Name::parse(LONGEST).unwrap().to_bytes()[31], 0);
}

#[test]
fn it_is_shown_as_text() {
    let name = Name::parse("a\"b").unwrap();
    assert_eq!(format!("{name}|{name:>5}|{name:<5}|{name:?}"), "a\"b|  a\"b|a\"b  |\"a\\\"b\"");
}

#[test]
fn a_constant_is_the_same_as_one_of_run_time() {
    const NAME: Name = Name::new("limit");
    const SLOT: Slot<Value<u64>> = Slot::new("limit");
    assert_eq!(Ok(NAME), Name::parse("limit"));
    assert_eq!(SLOT.name(), NAME);
    assert_eq!(Slot::<Value<u64>>::named(NAME).name(), NAME);
}

#[test]
#[should_panic = "a name has 1 to 31 bytes"]
fn too_long_a_name_panics_at_run_time() {
    let _ = Name::new(&LONGEST.repeat(2));
}
