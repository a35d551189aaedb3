using InterGuest.Interop.Tests.Harness;
using Xunit.Abstractions;

namespace InterGuest.Interop.Tests.Block;

/// <summary>A VM that serves its own disks, with interguest-agent on a PCI device; booted once for all of these.</summary>
[Collection("machine")]
public sealed class ServingVmTests(ServingVmTests.Booted booted, ITestOutputHelper output) : IClassFixture<ServingVmTests.Booted>
{
    private const int DiskMiB = 64, BadMiB = 16, BadSector = 8192;

    private DiskRig Rig => booted.Rig;

    private Vm Server => booted.Server;

    [VmFact]
    public async Task A_VM_serves_its_disk_to_a_process()
    {
        await ServeAsync("/dev/vda");
        string random = Path.Combine(Rig.Switch.Directory, "random");
        await Command.MustAsync("dd", ["if=/dev/urandom", $"of={random}", "bs=1M", $"count={DiskMiB}"]);
        await using var client = await AttachAsync();
        await Command.MustAsync("qemu-img", ["convert", "-n", "-f", "raw", "-O", "raw", "-W", random, Uri], TimeSpan.FromMinutes(2));
        await Command.MustAsync("qemu-img", ["compare", "-f", "raw", "-F", "raw", random, Uri], TimeSpan.FromMinutes(2));
        await Command.MustAsync("cmp", [random, Rig.Image("disk")]);
        Assert.Empty((await Rig.Switch.PortAsync("disk")).Counters.Faults);
    }

    /// <summary>An error of the medium is an I/O error to the client, for that request alone; the reason is in the agent's log.</summary>
    [VmFact]
    public async Task A_sector_that_cannot_be_read_is_an_error_with_a_reason()
    {
        await ServeAsync("/dev/vdb");
        await using var client = await AttachAsync();
        Assert.Equal(0, (await QemuIoAsync("read 0 4k")).ExitCode);
        var bad = await QemuIoAsync($"read {BadSector * 512} 4k");
        Assert.Contains("Input/output error", bad.Output + bad.Error, StringComparison.Ordinal);
        Assert.Equal(0, (await QemuIoAsync($"read {(BadSector + 64) * 512} 4k")).ExitCode);
        Assert.Matches($"/dev/vdb: In of .* sectors at {BadSector}: .*[Ii]nput/output error", await Server.ExecAsync("cat /tmp/serve.log"));
        Assert.NotEqual(0ul, (await Rig.Switch.PortAsync("disk")).Counters.FailedRequests);
    }

    [VmFact]
    public async Task A_full_file_system_is_an_error_with_a_remedy()
    {
        await Server.ExecAsync("mount -t tmpfs -o size=2m none /mnt && truncate -s 8M /mnt/thin.raw");
        await ServeAsync("/mnt/thin.raw");
        await using var client = await AttachAsync();
        Assert.Equal(0, (await QemuIoAsync("write -P 7 0 64k")).ExitCode);
        var full = await QemuIoAsync("write -P 7 1M 4M");
        Assert.Contains("Input/output error", full.Output + full.Error, StringComparison.Ordinal);
        Assert.Equal(0, (await QemuIoAsync("read -P 7 0 64k")).ExitCode);
        Assert.Contains("make room in the file system of the image", await Server.ExecAsync("cat /tmp/serve.log"), StringComparison.Ordinal);
    }

    /// <summary>Five kinds of kill, once each; <c>tests/block-kills.sh</c> without a number does twenty.</summary>
    [VmFact]
    public async Task Fio_verifies_through_kills_of_all_that_takes_part()
    {
        await Repository.BuildDiskGuestAsync();
        output.WriteLine(await Command.MustAsync(Repository.Script("tests/block-kills.sh"), ["5"], TimeSpan.FromMinutes(8)));
    }

    private string Nbd => Path.Combine(Rig.Switch.Directory, "nbd");

    private string Uri => $"nbd+unix:///?socket={Nbd}";

    /// <summary>Serves another disk, which nobody uses meanwhile.</summary>
    private async Task ServeAsync(string device)
    {
        await Server.ExecAsync($"kill -9 $(pidof interguest-agent) 2>/dev/null; serve_disk {device}", 120);
        await Command.EventuallyAsync(async () => (await Rig.Switch.PortAsync("disk")).Disk?.Id == Path.GetFileName(device), $"{device} is announced");
    }

    private async Task<AgentProcess> AttachAsync()
    {
        File.Delete(Nbd);
        var client = await AgentProcess.StartAsync("attach-block", "--port", (await Rig.Switch.PortAsync("disk")).SocketPath, "--nbd", $"unix:{Nbd}");
        await Command.EventuallyAsync(() => Task.FromResult(File.Exists(Nbd)), "the export is there");
        return client;
    }

    private Task<CommandResult> QemuIoAsync(string command) => Command.RunAsync("qemu-io", ["-f", "raw", "-c", command, Uri]);

    public sealed class Booted : IAsyncLifetime
    {
        internal DiskRig Rig { get; private set; } = null!;

        internal Vm Server { get; private set; } = null!;

        public async Task InitializeAsync()
        {
            if (VmFactAttribute.Lacking != null)
                return;
            await Repository.BuildServingGuestAsync();
            Rig = await DiskRig.CreateAsync();
            Server = new Vm("server", Rig.Switch.Directory) { Guest = "guest-server" };
            await Rig.LinkAsync("disk");
            foreach (var (name, size) in new[] { ("disk", DiskMiB), ("bad", BadMiB) })
                await using (var image = new FileStream(Rig.Image(name), FileMode.CreateNew))
                    image.SetLength((long)size << 20);
            await Server.StartAsync([
                .. await Rig.Switch.QemuArgumentsAsync("disk-store", "384M"),
                "-drive", $"file={Rig.Image("disk")},if=none,id=own,format=raw", "-device", "virtio-blk-pci,drive=own",
                "-blockdev", $"driver=blkdebug,node-name=bad,image.driver=file,image.filename={Rig.Image("bad")},"
                    + $"inject-error.0.event=none,inject-error.0.sector={BadSector},inject-error.0.once=off",
                "-device", "virtio-blk-pci,drive=bad"]);
            await Server.WaitAsync();
        }

        public async Task DisposeAsync()
        {
            if (Rig == null)
                return;
            await Server.DisposeAsync();
            await Rig.DisposeAsync();
        }
    }
}
