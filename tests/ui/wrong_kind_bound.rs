use res::{Backend, Env, Fault, Receiver, Rx, Slot};

fn pair<B: Backend, K>(b: &B) -> Result<(), Fault> {
    let (_tx, _rx) = b.chan::<K, u64>(4)?;
    Ok(())
}

fn reader<B: Backend, K>(env: Env<B>) -> Result<(), Fault> {
    let mut lines = env.take(Slot::<Rx<K, u64>>::new("lines"))?;
    while lines.recv().is_ok() {}
    Ok(())
}

fn main() {}
