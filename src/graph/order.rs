//! The order of nodes where some work in place: one that reads memory must come before the one that changes it.

use super::{Graph, GroupId, Node, Storage, ValueId};
use crate::{Error, Result};
use std::collections::{HashMap, HashSet};

/// What the nodes of a program so far have changed in place.
#[derive(Debug, Default)]
pub(super) struct Changed {
    /// By the value whose memory it is: the value that is there now.
    values: HashMap<ValueId, ValueId>,
    /// Outputs that are inputs under another name: nothing was computed.
    same: HashMap<ValueId, ValueId>,
    /// Groups whose parameters an optimizer has moved.
    groups: HashSet<GroupId>,
}

impl Changed {
    /// Check that what `node` reads is still there.
    ///
    /// # Errors
    /// [`Error::Internal`] naming the node and what it reads.
    pub(super) fn check(&self, graph: &Graph, node: &Node) -> Result<()> {
        for &input in &node.inputs {
            let root = graph.root(input);
            let replaced = self.values.get(&root).is_some_and(|&now| now != self.named(input));
            let moved = match graph.value(root).storage {
                Storage::Parameter(block) | Storage::Gradient(block) => {
                    self.groups.contains(&graph.tensors.group_of(block))
                }
                _ => false,
            };
            if replaced || moved {
                let name = &graph.value(input).name;
                let problem = format!("'{}' reads '{name}' after it has been changed in place", node.label);
                return Err(Error::Internal(problem));
            }
        }
        Ok(())
    }

    /// Note the outputs of `node`, which `computes` something or only names a value anew.
    pub(super) fn note(&mut self, graph: &Graph, node: &Node, computes: bool) {
        for &output in &node.outputs {
            match graph.value(output).storage {
                Storage::Alias(of) if !computes => {
                    self.same.insert(output, of);
                }
                Storage::Alias(_) => {
                    self.values.insert(graph.root(output), output);
                }
                Storage::Group(group) => {
                    self.groups.insert(group);
                }
                _ => {}
            }
        }
    }

    /// The value that `id` is a name for.
    fn named(&self, mut id: ValueId) -> ValueId {
        while let Some(&of) = self.same.get(&id) {
            id = of;
        }
        id
    }
}
