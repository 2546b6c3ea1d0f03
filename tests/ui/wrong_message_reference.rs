#[res::message("line", version = 1)]
struct Line {
    number: u64,
    text: &'static str,
}

#[res::message("borrowed", version = 1)]
struct Borrowed<'a> {
    value: &'a u64,
}

#[res::message("handler", version = 1)]
struct Handler {
    call: fn(u64) -> u64,
}

fn main() {}
