//! The registry of WGSL kernels.
//!
//! A kernel is an entry point of a file in `shaders/`. naga reads its description from the WGSL: bindings with their
//! access, override constants, workgroup size, named tile constants. So nothing is typed twice.

mod sources;

use naga::compact::{KeepUnused, compact};
use naga::{AddressSpace, Literal, StorageAccess};
use serde::{Deserialize, Serialize};
use sources::{FILES, File};
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// How a kernel uses a storage array.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// `var<storage, read>`
    Read,
    /// `var<storage, read_write>`
    ReadWrite,
}

/// A variable a kernel reads or writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name in the WGSL.
    pub name: String,
    /// `@binding(..)`; all are in group 0.
    pub binding: u32,
    /// The uniform `step`, or a storage array with its access.
    pub kind: VariableKind,
}

/// What kind of variable a binding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VariableKind {
    /// `var<uniform> step: Step`, bound with a dynamic offset.
    Step,
    /// A storage array.
    Storage(Access),
}

/// An entry point of a WGSL file, as naga describes it.
#[derive(Clone, Debug)]
pub struct Kernel {
    /// The kernel's name, unique over all files: that of its entry point or, where files share this, with the word that
    /// the file puts in: `matmul_nt`, `matmul_nt_tiled_64`.
    pub name: String,
    /// The entry point's name in its file.
    pub entry: String,
    /// The file it stands in, relative to `shaders/`.
    pub file: &'static str,
    /// `@workgroup_size`.
    pub workgroup_size: [u32; 3],
    /// Variables it uses, by binding number.
    pub variables: Vec<Variable>,
    /// Names of the `override` constants it uses; a dispatch gives a value for each.
    pub overrides: Vec<String>,
    /// Constants of its file: integers (`TILE_ROWS`, ..), from which grids are computed, and numbers of type `f32`.
    constants: BTreeMap<String, Literal>,
}

impl Kernel {
    /// The value of the integer `const` called `name` in this kernel's file.
    ///
    /// # Panics
    /// If the file has no such constant: a bug that every test of the kernel shows.
    pub fn constant(&self, name: &str) -> u32 {
        match self.constants.get(name) {
            Some(Literal::U32(value)) => *value,
            other => panic!("{}: {name} is {other:?}, not a u32", self.file),
        }
    }

    /// The value of the integer `const` called `name` in this kernel's file, if it has one.
    pub(crate) fn find_constant(&self, name: &str) -> Option<u32> {
        match self.constants.get(name) {
            Some(Literal::U32(value)) => Some(*value),
            _ => None,
        }
    }

    /// The value of the `const` of type `f32` called `name` in this kernel's file.
    ///
    /// # Panics
    /// If the file has no such constant: a bug that every test of the kernel shows.
    pub fn real(&self, name: &str) -> f64 {
        match self.constants.get(name) {
            Some(Literal::F32(value)) => f64::from(*value),
            other => panic!("{}: {name} is {other:?}, not an f32", self.file),
        }
    }

    /// The kernel's storage variables, in binding order.
    pub fn storage(&self) -> impl Iterator<Item = (&Variable, Access)> {
        self.variables.iter().filter_map(|variable| match variable.kind {
            VariableKind::Storage(access) => Some((variable, access)),
            VariableKind::Step => None,
        })
    }
}

static KERNELS: LazyLock<BTreeMap<String, Kernel>> = LazyLock::new(|| {
    let mut kernels = BTreeMap::new();
    for file in FILES {
        for kernel in reflect(file) {
            let name = kernel.name.clone();
            assert!(kernels.insert(name.clone(), kernel).is_none(), "two kernels are called {name}");
        }
    }
    kernels
});

/// All kernels, by name.
pub fn all() -> impl Iterator<Item = &'static Kernel> {
    KERNELS.values()
}

/// The kernel called `name`.
///
/// # Panics
/// If there is none: names are literals in this crate, so this is a bug.
pub fn kernel(name: &str) -> &'static Kernel {
    find(name).unwrap_or_else(|| panic!("no kernel is called {name}"))
}

/// The kernel called `name`, if there is one: for names that were read from a file.
pub fn find(name: &str) -> Option<&'static Kernel> {
    KERNELS.get(name)
}

/// The whole WGSL of `file`: the shared parts it uses, then the file.
pub fn source(file: &str) -> String {
    FILES.iter().find(|candidate| candidate.name == file).map(File::wgsl).unwrap_or_default()
}

/// The shared parts that `file` imports, directly or through others, in the order of their text: names in
/// `shaders/shared/`, without `.wgsl`.
pub fn imports(file: &str) -> Vec<&'static str> {
    FILES.iter().find(|candidate| candidate.name == file).map(File::imports).unwrap_or_default()
}

/// The text of one file or shared part, without its imports: `gather.wgsl`, `shared/step.wgsl`.
pub fn part(name: &str) -> Option<&'static str> {
    sources::part(name)
}

/// The names of all WGSL files that hold kernels.
pub fn files() -> impl Iterator<Item = &'static str> {
    FILES.iter().map(|file| file.name)
}

/// Parse a file and describe each of its entry points.
///
/// Shaders are compiled into the program and checked by its tests, so a file that does not parse is a bug.
fn reflect(file: &File) -> Vec<Kernel> {
    let source = file.wgsl();
    let module = naga::front::wgsl::parse_str(&source)
        .unwrap_or_else(|error| panic!("{}", error.emit_to_string_with_path(&source, file.name)));
    module.entry_points.iter().map(|entry| describe(file, &module, &entry.name)).collect()
}

/// Drop everything that `entry` does not use, and list the rest.
fn describe(file: &File, whole: &naga::Module, entry: &str) -> Kernel {
    let mut module = whole.clone();
    module.entry_points.retain(|candidate| candidate.name == entry);
    compact(&mut module, KeepUnused::No);
    let mut variables: Vec<Variable> = module
        .global_variables
        .iter()
        .filter_map(|(_, variable)| {
            let binding = variable.binding?.binding;
            let kind = match variable.space {
                AddressSpace::Uniform => VariableKind::Step,
                AddressSpace::Storage { access } if access.contains(StorageAccess::STORE) => {
                    VariableKind::Storage(Access::ReadWrite)
                }
                _ => VariableKind::Storage(Access::Read),
            };
            Some(Variable { name: variable.name.clone().unwrap_or_default(), binding, kind })
        })
        .collect();
    variables.sort_by_key(|variable| variable.binding);
    Kernel {
        name: file.kernel(entry),
        entry: entry.to_string(),
        file: file.name,
        workgroup_size: module.entry_points[0].workgroup_size,
        variables,
        overrides: module.overrides.iter().filter_map(|(_, constant)| constant.name.clone()).collect(),
        constants: constants(whole),
    }
}

fn constants(module: &naga::Module) -> BTreeMap<String, Literal> {
    module
        .constants
        .iter()
        .filter_map(|(_, constant)| match module.global_expressions[constant.init] {
            naga::Expression::Literal(value) => Some((constant.name.clone()?, value)),
            _ => None,
        })
        .collect()
}
