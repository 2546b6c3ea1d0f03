#[res::message("before", version = 1)]
struct Before {
    valid: bool,
    value: u32,
}

#[res::message("after", version = 1)]
struct After {
    values: [u64; 3],
    valid: bool,
}

fn main() {}
