//! Compiles kernels: one module a WGSL file, one pipeline for each kernel and set of constants.

use super::Gpu;
use super::buffers::Buffers;
use super::kept::KeptPipelines;
use crate::kernels::{self, Kernel, VariableKind};
use crate::plan::{Access, Dispatch, Plan, Step};
use crate::{Error, Result};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::num::NonZeroU64;

/// A dispatch that is ready to be recorded.
#[derive(Debug)]
pub(super) struct Prepared {
    /// Index into [`Pipelines::list`].
    pub(super) pipeline: usize,
    /// Its buffers.
    pub(super) group: wgpu::BindGroup,
    /// Whether the kernel reads the uniform `step`, and so takes a dynamic offset.
    pub(super) uses_step: bool,
    /// Workgroups along x, y and z.
    pub(super) grid: [u32; 3],
}

/// Everything compiled for a plan.
#[derive(Debug)]
pub(super) struct Pipelines {
    /// The distinct pipelines.
    pub(super) list: Vec<wgpu::ComputePipeline>,
    /// The plan's dispatches, in its order.
    pub(super) dispatches: Vec<Prepared>,
}

/// What makes two dispatches share a pipeline: the kernel and the bits of its constants.
type Key<'a> = (&'a str, Vec<(&'a str, u64)>);

fn key(dispatch: &Dispatch) -> Key<'_> {
    let constants = dispatch.constants.iter().map(|(name, value)| (name.as_ref(), value.to_bits())).collect();
    (dispatch.kernel.as_ref(), constants)
}

struct Layout {
    group: wgpu::BindGroupLayout,
    pipeline: wgpu::PipelineLayout,
}

impl Pipelines {
    /// Compile what `plan` uses, on all cores, and bind its buffers. `steps` holds the step records.
    pub(super) fn new(gpu: &Gpu, plan: &Plan, buffers: &Buffers, steps: &wgpu::Buffer) -> Result<Self> {
        let mut numbers: BTreeMap<Key<'_>, usize> = BTreeMap::new();
        let mut distinct = Vec::new();
        for dispatch in &plan.dispatches {
            numbers.entry(key(dispatch)).or_insert_with(|| {
                distinct.push(dispatch);
                distinct.len() - 1
            });
        }
        let used: BTreeMap<&str, &Kernel> = distinct
            .iter()
            .map(|dispatch| (dispatch.kernel.as_ref(), kernels::kernel(&dispatch.kernel)))
            .collect();
        let files: BTreeMap<&str, ()> = used.values().map(|kernel| (kernel.file, ())).collect();
        let modules: BTreeMap<&str, wgpu::ShaderModule> =
            files.into_par_iter().map(|(file, ())| Ok((file, module(gpu, file)?))).collect::<Result<_>>()?;
        let layouts: BTreeMap<&str, Layout> =
            used.iter().map(|(&name, kernel)| Ok((name, layout(gpu, kernel)?))).collect::<Result<_>>()?;
        let list = distinct
            .par_iter()
            .map(|dispatch| {
                let kernel = used[dispatch.kernel.as_ref()];
                let module = &modules[kernel.file];
                pipeline(gpu, dispatch, &kernel.entry, module, &layouts[dispatch.kernel.as_ref()].pipeline)
            })
            .collect::<Result<Vec<_>>>()?;
        if let Some(kept) = &gpu.kept {
            kept.save();
        }
        let dispatches = plan
            .dispatches
            .iter()
            .map(|dispatch| {
                let kernel = used[dispatch.kernel.as_ref()];
                let layout = &layouts[dispatch.kernel.as_ref()].group;
                Ok(Prepared {
                    pipeline: numbers[&key(dispatch)],
                    group: group(gpu, dispatch, kernel, layout, buffers, steps)?,
                    uses_step: kernel.variables.iter().any(|it| it.kind == VariableKind::Step),
                    grid: dispatch.grid,
                })
            })
            .collect::<Result<_>>()?;
        Ok(Self { list, dispatches })
    }
}

fn module(gpu: &Gpu, file: &str) -> Result<wgpu::ShaderModule> {
    let descriptor = wgpu::ShaderModuleDescriptor {
        label: Some(file),
        source: wgpu::ShaderSource::Wgsl(kernels::source(file).into()),
    };
    gpu.scoped(|| gpu.device.create_shader_module(descriptor))
        .map_err(|fault| fault.into_error(&format!("{}, {file}", gpu.name())))
}

fn layout(gpu: &Gpu, kernel: &Kernel) -> Result<Layout> {
    let entries: Vec<_> = kernel
        .variables
        .iter()
        .map(|variable| wgpu::BindGroupLayoutEntry {
            binding: variable.binding,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: match variable.kind {
                VariableKind::Step => wgpu::BindingType::Buffer {
                    ty: wgpu::BufferBindingType::Uniform,
                    has_dynamic_offset: true,
                    min_binding_size: step_size(),
                },
                VariableKind::Storage(access) => wgpu::BindingType::Buffer {
                    ty: wgpu::BufferBindingType::Storage { read_only: access == Access::Read },
                    has_dynamic_offset: false,
                    min_binding_size: None,
                },
            },
            count: None,
        })
        .collect();
    gpu.scoped(|| {
        let group = gpu.device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some(&kernel.name),
            entries: &entries,
        });
        let pipeline = gpu.device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some(&kernel.name),
            bind_group_layouts: &[Some(&group)],
            immediate_size: 0,
        });
        Layout { group, pipeline }
    })
    .map_err(|fault| fault.into_error(&format!("{}, kernel {}", gpu.name(), kernel.name)))
}

fn pipeline(
    gpu: &Gpu,
    dispatch: &Dispatch,
    entry: &str,
    module: &wgpu::ShaderModule,
    layout: &wgpu::PipelineLayout,
) -> Result<wgpu::ComputePipeline> {
    let constants: Vec<(&str, f64)> =
        dispatch.constants.iter().map(|(name, &value)| (name.as_ref(), value)).collect();
    let descriptor = wgpu::ComputePipelineDescriptor {
        label: Some(&dispatch.label),
        layout: Some(layout),
        module,
        entry_point: Some(entry),
        compilation_options: wgpu::PipelineCompilationOptions {
            constants: &constants,
            // Kernels write workgroup memory before they read it.
            zero_initialize_workgroup_memory: false,
        },
        cache: gpu.kept.as_ref().map(KeptPipelines::cache),
    };
    gpu.scoped(|| gpu.device.create_compute_pipeline(&descriptor)).map_err(|fault| {
        fault.into_error(&format!("{}, kernel {} with {constants:?}", gpu.name(), dispatch.kernel))
    })
}

fn group(
    gpu: &Gpu,
    dispatch: &Dispatch,
    kernel: &Kernel,
    layout: &wgpu::BindGroupLayout,
    buffers: &Buffers,
    steps: &wgpu::Buffer,
) -> Result<wgpu::BindGroup> {
    // `limits::check` has seen that storage variables and bindings agree, in order.
    let mut bindings = dispatch.bindings.iter();
    let mut entries = Vec::with_capacity(kernel.variables.len());
    for variable in &kernel.variables {
        let resource = match variable.kind {
            VariableKind::Step => wgpu::BufferBinding { buffer: steps, offset: 0, size: step_size() },
            VariableKind::Storage(_) => {
                let binding = bindings.next().ok_or_else(|| {
                    Error::Internal(format!("'{}' has no binding for {}", dispatch.label, variable.name))
                })?;
                wgpu::BufferBinding {
                    buffer: buffers.get(binding.buffer),
                    offset: binding.offset as u64 * 4,
                    size: NonZeroU64::new(binding.length as u64 * 4),
                }
            }
        };
        entries.push(wgpu::BindGroupEntry {
            binding: variable.binding,
            resource: wgpu::BindingResource::Buffer(resource),
        });
    }
    let descriptor = wgpu::BindGroupDescriptor { label: Some(&dispatch.label), layout, entries: &entries };
    gpu.scoped(|| gpu.device.create_bind_group(&descriptor))
        .map_err(|fault| fault.into_error(&format!("{}, '{}'", gpu.name(), dispatch.label)))
}

fn step_size() -> Option<NonZeroU64> {
    NonZeroU64::new(size_of::<Step>() as u64)
}
