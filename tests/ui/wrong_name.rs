use res::{Name, Rx, Slot, Spsc};

const LONG: Slot<Rx<Spsc, u64>> = Slot::new("the lines that the reader is to count");
const RESERVED: Name = Name::new(".lines");
const EMPTY: Name = Name::new("");

fn main() {}
