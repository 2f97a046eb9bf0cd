const std = @import("std");

/// Levels of x86-64 for which the kernels are compiled beside the baseline, see src/cpu.zig.
const levels = [_]struct { []const u8, *const std.Target.Cpu.Model }{
    .{ "x86_64_v2", &std.Target.x86.cpu.x86_64_v2 },
    .{ "x86_64_v3", &std.Target.x86.cpu.x86_64_v3 },
    .{ "x86_64_v4", &std.Target.x86.cpu.x86_64_v4 },
};

pub fn build(b: *std.Build) void {
    const target = b.standardTargetOptions(.{});
    const optimize = b.standardOptimizeOption(.{});

    const library = b.addLibrary(.{
        .name = "snn_engine",
        .linkage = .dynamic,
        .root_module = engine(b, target, optimize),
    });
    b.getInstallStep().dependOn(&b.addInstallArtifact(library, .{
        .dest_dir = .{ .override = .lib },
        .implib_dir = .disabled,
        .pdb_dir = .disabled,
    }).step);

    const tests = b.addTest(.{ .root_module = engine(b, target, optimize) });
    b.step("test", "Run the unit tests").dependOn(&b.addRunArtifact(tests).step);
}

fn engine(
    b: *std.Build,
    target: std.Build.ResolvedTarget,
    optimize: std.builtin.OptimizeMode,
) *std.Build.Module {
    const root = b.createModule(.{
        .root_source_file = b.path("src/root.zig"),
        .target = target,
        .optimize = optimize,
        .strip = optimize == .ReleaseFast,
        // Threads must be the C library's: the process that loads this library has one, its signal
        // handlers run on any thread, and they need its thread-local storage.
        .link_libc = target.result.os.tag != .windows,
    });
    if (target.result.cpu.arch == .x86_64) {
        for (levels) |level| root.addObject(kernels(b, target, optimize, level[0], level[1]));
    }
    return root;
}

fn kernels(
    b: *std.Build,
    target: std.Build.ResolvedTarget,
    optimize: std.builtin.OptimizeMode,
    level: []const u8,
    model: *const std.Target.Cpu.Model,
) *std.Build.Step.Compile {
    var query = target.query;
    query.cpu_model = .{ .explicit = model };
    const options = b.addOptions();
    options.addOption([]const u8, "level", level);
    const module = b.createModule(.{
        .root_source_file = b.path("src/level.zig"),
        .target = b.resolveTargetQuery(query),
        .optimize = optimize,
        .strip = optimize == .ReleaseFast,
        .pic = true,
    });
    module.addOptions("options", options);
    return b.addObject(.{ .name = level, .root_module = module });
}
