//! Memory that a thread keeps from one task to the next.

use super::Real;
use std::any::Any;
use std::cell::RefCell;

thread_local! {
    static FREE: RefCell<Vec<Box<dyn Any>>> = const { RefCell::new(Vec::new()) };
}

/// Run `work` on `length` numbers of the thread's memory, which hold what the last task left there.
pub(super) fn with_scratch<T: Real, R>(length: usize, work: impl FnOnce(&mut [T]) -> R) -> R {
    let free = FREE.with(|free| {
        let mut free = free.borrow_mut();
        free.iter().rposition(|own| own.is::<Vec<T>>()).map(|found| free.swap_remove(found))
    });
    let mut memory = free.and_then(|own| own.downcast::<Vec<T>>().ok()).unwrap_or_default();
    if memory.len() < length {
        memory.resize(length, T::zero());
    }
    let result = work(&mut memory[..length]);
    FREE.with(|free| free.borrow_mut().push(memory));
    result
}
