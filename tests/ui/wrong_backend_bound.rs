use res::{Env, Fault, Rx, Slot, Spsc};

const WORDS: Slot<Rx<Spsc, u64>> = Slot::new("words");

fn component<B>(env: Env<B>) -> Result<(), Fault> {
    let _words = env.take(WORDS)?;
    Ok(())
}

fn part<B>(b: &B) -> Result<(), Fault> {
    let _ends = b.chan::<Spsc, u64>(4)?;
    Ok(())
}

fn composed<B>(_: &res::Comp<B>) -> Result<(), Fault> {
    Ok(())
}

fn main() {}
