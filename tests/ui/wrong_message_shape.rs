#[res::message("unit", version = 1)]
struct Unit;

#[res::message("tuple", version = 1)]
struct Tuple(u64, u64);

#[res::message("generic", version = 1)]
struct Generic<T> {
    value: T,
}

#[res::message("enum", version = 1)]
enum Enum {
    One,
}

#[res::message("packed", version = 1)]
#[repr(packed)]
struct Packed {
    value: u64,
}

#[res::message("cloned", version = 1)]
#[derive(Debug, Clone)]
struct Cloned {
    value: u64,
}

fn main() {}
