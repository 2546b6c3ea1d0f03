//! Rights and flags: the numbers that cross a domain, and that rights only ever get fewer.

use res_api::{ChanFlags, Rights};

#[test]
fn the_bits_are_fixed() {
    let rights =
        [Rights::READ, Rights::WRITE, Rights::TRANSFER, Rights::DUPLICATE, Rights::CONTROL];
    assert_eq!(rights.map(|right| right.bits()), [1, 2, 4, 8, 16]);
    assert_eq!(Rights::all().bits(), 31);
    let flags =
        [ChanFlags::SND, ChanFlags::RCV, ChanFlags::CHAN, ChanFlags::LOCAL, ChanFlags::MULTI];
    assert_eq!(flags.map(|flag| flag.bits()), [1, 2, 4, 8, 16]);
    assert_eq!(ChanFlags::all().bits(), 31);
}

#[test]
fn what_came_from_elsewhere_holds_no_unknown_right() {
    assert_eq!(Rights::from_bits(32), None);
    assert_eq!(Rights::from_bits_truncate(u32::MAX), Rights::all());
    assert_eq!(ChanFlags::from_bits(32), None);
}

#[test]
fn narrowing_never_adds() {
    let all = || (0..32).map(Rights::from_bits_retain);
    for have in all() {
        for asked in all() {
            let narrowed = have & asked;
            assert!(have.contains(narrowed) && asked.contains(narrowed));
            assert_eq!(narrowed & asked, narrowed, "twice is as once");
            assert_eq!(have.contains(asked), narrowed == asked);
        }
        assert_eq!((have & Rights::empty(), have & Rights::all()), (Rights::empty(), have));
    }
}
