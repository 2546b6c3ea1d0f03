#[res::interface("unversioned")]
trait Unversioned {}

#[res::interface("", version = 1)]
trait Nameless {}

#[res::interface("struct", version = 1)]
struct Struct;

#[res::interface("generic", version = 1)]
trait Generic<T> {
    fn get(&mut self) -> u64;
}

#[res::interface("super", version = 1)]
trait Super: Clone {
    fn get(&mut self) -> u64;
}

#[res::interface("constant", version = 1)]
trait Constant {
    const SIZE: u64;
}

#[res::interface("body", version = 1)]
trait Body {
    fn get(&mut self) -> u64 {
        7
    }
}

#[res::interface("shared", version = 1)]
trait Shared {
    fn get(&self) -> u64;
}

#[res::interface("static", version = 1)]
trait Static {
    fn get(key: u64) -> u64;
}

#[res::interface("method", version = 1)]
trait Method {
    fn get<T>(&mut self, key: u64) -> u64;
}

#[res::interface("async", version = 1)]
trait Async {
    async fn get(&mut self, key: u64) -> u64;
}

#[res::interface("pattern", version = 1)]
trait Pattern {
    fn get(&mut self, _: u64) -> u64;
}

#[res::interface("many", version = 1)]
trait Many {
    fn get(&mut self, a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8, i: u8);
}

fn main() {}
