//! Memory reuse: values that are never needed at the same time share a block of memory.

use super::{Access, Buffer, BufferId, Element, Plan, Port, Program, Role};

/// From where to where in a program a buffer holds something: indices into the program's dispatches, both included.
type Lifetime = (usize, usize);

impl Plan {
    /// Number of the block of memory that holds a buffer.
    pub fn block(&self, id: BufferId) -> usize {
        self.memory.get(id.0).copied().unwrap_or(id.0)
    }

    /// Whether another buffer is in the same block.
    pub fn shares_memory(&self, id: BufferId) -> bool {
        let block = self.block(id);
        (0..self.buffers.len()).any(|other| other != id.0 && self.block(BufferId(other)) == block)
    }

    /// All blocks: elements, and what they are of.
    pub fn blocks(&self) -> Vec<(usize, Element)> {
        let count = self.memory.iter().max().map_or(self.buffers.len(), |last| last + 1);
        let mut blocks = vec![(0, Element::Real); count];
        for (index, buffer) in self.buffers.iter().enumerate() {
            let block = &mut blocks[self.block(BufferId(index))];
            *block = (buffer.length.max(block.0), buffer.element);
        }
        blocks
    }

    /// Bytes of all blocks on a GPU: what the plan holds from its first step to its last.
    pub fn memory_bytes(&self) -> u64 {
        self.blocks().iter().map(|&(length, _)| length as u64 * 4).sum()
    }

    /// Let values whose lifetimes do not overlap in any program share memory. Largest first, each into the first block
    /// that is free for it: within a few per cent of the best for graphs as small as these, and the same every time.
    ///
    /// Only values computed in a step and used within it move ([`Role::Activation`]). One that a program is given by the
    /// host keeps its block to itself; one that the host reads lives to the program's end.
    #[must_use]
    pub fn with_shared_memory(mut self) -> Self {
        let lifetimes: Vec<Option<Vec<Option<Lifetime>>>> =
            (0..self.buffers.len()).map(|index| self.lifetimes(BufferId(index))).collect();
        let mut order: Vec<usize> = (0..self.buffers.len()).filter(|&i| lifetimes[i].is_some()).collect();
        order.sort_by_key(|&index| std::cmp::Reverse(self.buffers[index].length));
        let mut shared: Vec<Vec<usize>> = Vec::new();
        for index in order {
            let free = |block: &Vec<usize>| {
                block.iter().all(|&other| !overlap(&lifetimes[index], &lifetimes[other]))
            };
            match shared.iter_mut().find(|block| free(block)) {
                Some(block) => block.push(index),
                None => shared.push(vec![index]),
            }
        }
        let mut next = 0;
        self.memory = vec![usize::MAX; self.buffers.len()];
        for index in 0..self.buffers.len() {
            if self.memory[index] != usize::MAX {
                continue;
            }
            let alone = vec![index];
            let block = shared.iter().find(|block| block.contains(&index)).unwrap_or(&alone);
            for &member in block {
                self.memory[member] = next;
            }
            next += 1;
        }
        self
    }

    /// Drop the buffers that neither a dispatch nor a port uses.
    pub(crate) fn drop_unused_buffers(&mut self) {
        let mut used = vec![false; self.buffers.len()];
        let bindings = self.dispatches.iter().flat_map(|dispatch| &dispatch.bindings);
        let ports = self.programs.iter().flat_map(|program| program.given.iter().chain(&program.wanted));
        for buffer in bindings.map(|binding| binding.buffer).chain(ports.map(|port| port.buffer)) {
            used[buffer.0] = true;
        }
        let mut next = 0;
        let renumbered: Vec<BufferId> = used
            .iter()
            .map(|&used| {
                next += usize::from(used);
                BufferId(next.saturating_sub(1))
            })
            .collect();
        let mut index = 0;
        self.buffers.retain(|_| {
            index += 1;
            used[index - 1]
        });
        for binding in self.dispatches.iter_mut().flat_map(|dispatch| &mut dispatch.bindings) {
            binding.buffer = renumbered[binding.buffer.0];
        }
        for program in &mut self.programs {
            for port in program.given.iter_mut().chain(&mut program.wanted) {
                port.buffer = renumbered[port.buffer.0];
            }
        }
    }

    /// When a buffer is in use, for each program; `None` if it may not share its memory.
    fn lifetimes(&self, id: BufferId) -> Option<Vec<Option<Lifetime>>> {
        let Buffer { role, element, .. } = self.buffers[id.0];
        if role != Role::Activation || element != Element::Real {
            return None;
        }
        self.programs.iter().map(|program| self.lifetime(id, program)).collect()
    }

    /// When a buffer is in use in a program, if it is; `None` if it holds something before the program starts.
    fn lifetime(&self, id: BufferId, program: &Program) -> Option<Option<Lifetime>> {
        let among = |ports: &[Port]| ports.iter().any(|port| port.buffer == id);
        let uses = program.dispatches.iter().enumerate().flat_map(|(place, &index)| {
            let bindings = self.dispatches[index].bindings.iter();
            bindings.filter(|binding| binding.buffer == id).map(move |binding| (place, binding.access))
        });
        let uses: Vec<(usize, Access)> = uses.collect();
        match (uses.first(), uses.last()) {
            _ if among(&program.given) => None,
            (Some((_, Access::Read)), _) => None,
            (Some(&(first, _)), Some(_)) if among(&program.wanted) => {
                Some(Some((first, program.dispatches.len())))
            }
            (Some(&(first, _)), Some(&(last, _))) => Some(Some((first, last))),
            _ => Some(None),
        }
    }
}

fn overlap(a: &Option<Vec<Option<Lifetime>>>, b: &Option<Vec<Option<Lifetime>>>) -> bool {
    let pairs = a.iter().flatten().zip(b.iter().flatten());
    pairs.into_iter().any(|pair| match pair {
        (Some(a), Some(b)) => a.0 <= b.1 && b.0 <= a.1,
        _ => false,
    })
}
