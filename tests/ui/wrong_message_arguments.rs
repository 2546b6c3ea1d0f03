#[res::message]
struct Bare {
    value: u64,
}

#[res::message("unversioned")]
struct Unversioned {
    value: u64,
}

#[res::message(version = 1)]
struct Unnamed {
    value: u64,
}

#[res::message("misspelt", versoin = 1)]
struct Misspelt {
    value: u64,
}

#[res::message("text", version = "1")]
struct Text {
    value: u64,
}

#[res::message("twice", version = 1, version = 2)]
struct Twice {
    value: u64,
}

#[res::message("negative", version = -1)]
struct Negative {
    value: u64,
}

#[res::message("suffixed", version = 1u64)]
struct Suffixed {
    value: u64,
}

#[res::message("a name of more than thirty-one bytes", version = 1)]
struct Long {
    value: u64,
}

#[res::message(".reserved", version = 1)]
struct Reserved {
    value: u64,
}

fn main() {}
