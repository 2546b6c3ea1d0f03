#[res::message("text", version = 1)]
struct Text {
    text: String,
}

#[res::message("list", version = 1)]
struct List {
    values: Vec<u64>,
}

#[res::message("perhaps", version = 1)]
struct Perhaps {
    value: Option<u64>,
}

#[res::message("sizes", version = 1)]
struct Sizes {
    sizes: [usize; 2],
}

#[res::message("letter", version = 1)]
struct Letter {
    letter: char,
}

#[res::message("pair", version = 1)]
struct Pair {
    pair: (u64, u64),
}

#[res::message("keyword", version = 1)]
struct Keyword {
    r#type: u64,
}

#[res::message("nonzero", version = 1)]
struct NonZero {
    value: std::num::NonZero<u8>,
}

fn main() {}
