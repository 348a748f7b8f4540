//! Runs a plan on the CPU, dispatch by dispatch.

use super::call::{Call, Slot};
use super::{Real, Twin, twin};
use crate::plan::{Access, Binding, BufferId, Element, Executor, MetricRows, Plan, Role, Step};
use crate::text::human_bytes;
use crate::{Error, Result};
use std::collections::VecDeque;

#[derive(Debug)]
enum Store<T> {
    Real(Vec<T>),
    Words(Vec<u32>),
}

/// The CPU with a plan's buffers.
pub struct CpuExecutor<T> {
    plan: Plan,
    twins: Vec<Twin<T>>,
    stores: Vec<Store<T>>,
    max_steps: usize,
    finished: VecDeque<MetricRows>,
}

impl<T: Real> std::fmt::Debug for CpuExecutor<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CpuExecutor").field("buffers", &self.stores.len()).finish_non_exhaustive()
    }
}

impl<T: Real> CpuExecutor<T> {
    /// Allocate `plan`'s buffers, filled with zeros.
    ///
    /// # Errors
    /// [`Error::Internal`] if the plan is not valid or a kernel has no twin; [`Error::Device`] if the system cannot allocate the
    /// memory.
    pub fn new(plan: &Plan, max_steps: usize) -> Result<Self> {
        T::executor(plan, max_steps)
    }

    /// A whole buffer of numbers, in the executor's own precision. Empty for a buffer of words.
    pub fn real(&self, buffer: BufferId) -> &[T] {
        match &self.stores[self.plan.block(buffer)] {
            Store::Real(values) => &values[..self.plan.buffers[buffer.0].length],
            Store::Words(_) => &[],
        }
    }

    /// The same, to change it.
    pub fn real_mut(&mut self, buffer: BufferId) -> &mut [T] {
        match &mut self.stores[self.plan.block(buffer)] {
            Store::Real(values) => &mut values[..self.plan.buffers[buffer.0].length],
            Store::Words(_) => &mut [],
        }
    }

    fn run(&mut self, index: usize, step: &Step) {
        let dispatch = &self.plan.dispatches[index];
        // Buffers to write are taken out of the table while the others are borrowed: in a valid plan none of them is bound
        // twice.
        let mut taken: Vec<(usize, Vec<T>)> = Vec::new();
        for binding in dispatch.bindings.iter().filter(|binding| binding.access == Access::ReadWrite) {
            let block = self.plan.block(binding.buffer);
            if let Store::Real(values) = &mut self.stores[block] {
                taken.push((block, std::mem::take(values)));
            }
        }
        let mut written = taken.iter_mut();
        let slots = dispatch
            .bindings
            .iter()
            .filter_map(|binding| {
                let Binding { offset, length, .. } = *binding;
                let slot = if binding.access == Access::ReadWrite {
                    Slot::Write(&mut written.next()?.1[offset..offset + length])
                } else {
                    match &self.stores[self.plan.block(binding.buffer)] {
                        Store::Real(values) => Slot::Read(&values[offset..offset + length]),
                        Store::Words(words) => Slot::Words(&words[offset..offset + length]),
                    }
                };
                Some((binding.variable.as_str(), slot))
            })
            .collect();
        self.twins[index](&mut Call { constants: &dispatch.constants, step, slots });
        for (block, values) in taken {
            self.stores[block] = Store::Real(values);
        }
    }

    fn metrics(&self, count: usize) -> MetricRows {
        let columns = self.plan.metrics.len().max(1);
        let values = match self.plan.buffers.iter().position(|buffer| buffer.role == Role::Metric) {
            Some(buffer) => {
                let all = self.real(BufferId(buffer)).iter().take(count * columns);
                all.map(|value| value.single()).collect()
            }
            None => Vec::new(),
        };
        MetricRows { columns, values }
    }
}

/// [`CpuExecutor::new`]. It names every twin: only the two implementations of [`Real`] may call it.
pub(super) fn executor<T: Real>(plan: &Plan, max_steps: usize) -> Result<CpuExecutor<T>> {
    plan.validate()?;
    let twins = plan
        .dispatches
        .iter()
        .map(|dispatch| {
            twin(&dispatch.kernel)
                .ok_or_else(|| Error::Internal(format!("kernel {} has no CPU twin", dispatch.kernel)))
        })
        .collect::<Result<_>>()?;
    // Try to reserve the memory first. Without this check, a system with far too little would kill the program.
    let bytes = plan.memory_bytes() / 4 * size_of::<T>() as u64;
    if Vec::<u8>::new().try_reserve_exact(usize::try_from(bytes).unwrap_or(usize::MAX)).is_err() {
        let problem = format!("the system cannot allocate {}", human_bytes(bytes));
        let hint =
            "use a smaller --batch-size, --hidden, --latent, --image-size, or number of samples or chains";
        return Err(Error::Device { device: "CPU".into(), problem, hint: hint.into() });
    }
    let stores = plan
        .blocks()
        .into_iter()
        .map(|(length, element)| match element {
            Element::Real => Store::Real(vec![T::zero(); length]),
            Element::Word | Element::Bytes => Store::Words(vec![0; length]),
        })
        .collect();
    Ok(CpuExecutor { plan: plan.clone(), twins, stores, max_steps, finished: VecDeque::new() })
}

impl<T: Real> Executor for CpuExecutor<T> {
    fn device_name(&self) -> String {
        super::device_name()
    }

    fn max_steps(&self) -> usize {
        self.max_steps
    }

    fn write(&mut self, buffer: BufferId, offset: usize, words: &[u32]) -> Result<()> {
        match &mut self.stores[self.plan.block(buffer)] {
            Store::Real(values) => {
                for (value, word) in values[offset..].iter_mut().zip(words) {
                    *value = T::of(f64::from(f32::from_bits(*word)));
                }
            }
            Store::Words(stored) => stored[offset..offset + words.len()].copy_from_slice(words),
        }
        Ok(())
    }

    fn read(&mut self, buffer: BufferId, offset: usize, length: usize) -> Result<Vec<u32>> {
        Ok(match &self.stores[self.plan.block(buffer)] {
            Store::Real(values) => {
                values[offset..offset + length].iter().map(|value| value.single().to_bits()).collect()
            }
            Store::Words(words) => words[offset..offset + length].to_vec(),
        })
    }

    fn submit(&mut self, name: &str, steps: &[Step]) -> Result<()> {
        let program = self
            .plan
            .program(name)
            .ok_or_else(|| Error::Internal(format!("the plan has no program '{name}'")))?
            .dispatches
            .clone();
        // Inside the pool: from outside, every parallel call would wait for a worker to wake up.
        rayon::scope(|_| {
            for step in steps {
                for &index in &program {
                    self.run(index, step);
                }
            }
        });
        let metrics = self.metrics(steps.len());
        self.finished.push_back(metrics);
        Ok(())
    }

    fn receive(&mut self, _pending: usize) -> Result<Vec<MetricRows>> {
        Ok(self.finished.drain(..).collect())
    }
}
