struct Key {
    text: [u8; 8],
}

#[res::interface("text", version = 1)]
trait Text {
    fn get(&mut self, key: &str) -> u64;
}

#[res::interface("string", version = 1)]
trait Owned {
    fn get(&mut self, key: u64) -> String;
}

#[res::interface("any", version = 1)]
trait Any {
    fn get(&mut self, key: impl Copy);
}

#[res::interface("undeclared", version = 1)]
trait Undeclared {
    fn get(&mut self, key: Key) -> u64;
}

fn main() {}
