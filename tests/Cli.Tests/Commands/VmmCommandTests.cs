using System.Diagnostics;
using InterGuest.Cli.Tests.Fakes;
using InterGuest.Protos.V1;

namespace InterGuest.Cli.Tests.Commands;

[Collection(ProcessCollection.Name)]
public sealed class VmmCommandTests : SwitchTest, IDisposable
{
    private const string Validator = "/usr/bin/virt-xml-validate";

    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task LibvirtConnectsToAPortThatListens()
    {
        Control.Ports.Add(new Port { Name = "a", Type = DeviceType.Net, SocketPath = "/run/a&b.sock", Mode = SocketMode.Listen, QueuePairs = 1 });
        Assert.Equal(
            """
            <memoryBacking>
              <source type="memfd" />
              <access mode="shared" />
            </memoryBacking>
            <interface type="vhostuser">
              <mac address="52:54:00:0c:29:c8" />
              <source type="unix" path="/run/a&amp;b.sock" mode="client">
                <reconnect enabled="yes" timeout="1" />
              </source>
              <model type="virtio" />
            </interface>

            """,
            await Cli().OutputAsync("libvirt", "a"));
    }

    [Fact]
    public async Task LibvirtListensForAPortThatConnects()
    {
        Control.Ports.Add(new Port { Name = "a", Type = DeviceType.Net, SocketPath = "/run/a.sock", Mode = SocketMode.Connect, QueuePairs = 4 });
        string output = await Cli().OutputAsync("libvirt", "a");
        Assert.Contains("""<source type="unix" path="/run/a.sock" mode="server" />""", output);
        Assert.Contains("""<driver queues="4" />""", output);
    }

    [Fact]
    public async Task LibvirtHasADiskForABlockPort()
    {
        Control.Ports.Add(new Port { Name = "a", Type = DeviceType.Block, SocketPath = "/run/a.sock", Mode = SocketMode.Listen, QueuePairs = 2 });
        Assert.EndsWith(
            """
            <disk type="vhostuser" device="disk">
              <driver name="qemu" type="raw" queues="2" />
              <source type="unix" path="/run/a.sock">
                <reconnect enabled="yes" timeout="1" />
              </source>
              <target dev="vda" bus="virtio" />
            </disk>

            """,
            await Cli().OutputAsync("libvirt", "a"));
    }

    [Fact]
    public async Task CloudHypervisorHasADiskForABlockPort()
    {
        Control.Ports.Add(new Port { Name = "a", Type = DeviceType.Block, SocketPath = "/run/a.sock", Mode = SocketMode.Listen, QueuePairs = 2 });
        Assert.Equal(
            "--memory size=512M,shared=on \\\n--cpus boot=2 \\\n--disk vhost_user=true,socket=/run/a.sock,num_queues=2\n",
            await Cli().OutputAsync("cloud-hypervisor", "a"));
    }

    [Theory]
    [InlineData("libvirt", DeviceType.Console, SocketMode.Listen)]
    [InlineData("libvirt", DeviceType.Block, SocketMode.Connect)]
    [InlineData("cloud-hypervisor", DeviceType.Entropy, SocketMode.Listen)]
    [InlineData("cloud-hypervisor", DeviceType.Block, SocketMode.Connect)]
    public async Task WhatAVmmCannotDoIsSaid(string command, DeviceType type, SocketMode mode)
    {
        Control.Ports.Add(new Port { Name = "a", Type = type, SocketPath = "/run/a.sock", Mode = mode, QueuePairs = 1 });
        CliRun run = Cli();
        Assert.Equal(ExitCodes.Refused, await run.RunAsync(command, "a"));
        Assert.Contains("port a: ", run.Error.ToString(), StringComparison.Ordinal);
    }

    /// <summary>By libvirt's own schema (virt-xml-validate of libvirt-clients).</summary>
    [ValidatorTheory]
    [InlineData(DeviceType.Net, SocketMode.Listen, 1u)]
    [InlineData(DeviceType.Net, SocketMode.Connect, 4u)]
    [InlineData(DeviceType.Block, SocketMode.Listen, 2u)]
    public async Task LibvirtAcceptsTheDomain(DeviceType type, SocketMode mode, uint queuePairs)
    {
        Control.Ports.Add(new Port { Name = "a", Type = type, SocketPath = "/run/a.sock", Mode = mode, QueuePairs = queuePairs });
        string file = _directory.Path("a.xml");
        await File.WriteAllTextAsync(file, await Cli().OutputAsync("libvirt", "a", "--domain"));
        using var validate = Process.Start(new ProcessStartInfo(Validator, [file, "domain"]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        string output = await validate.StandardOutput.ReadToEndAsync() + await validate.StandardError.ReadToEndAsync();
        await validate.WaitForExitAsync();
        Assert.True(validate.ExitCode == 0, output);
    }

    [Theory]
    [InlineData(SocketMode.Listen, "client")]
    [InlineData(SocketMode.Connect, "server")]
    public async Task CloudHypervisorHasSharedMemoryAndTheOtherMode(SocketMode mode, string theirs)
    {
        Control.Ports.Add(new Port { Name = "a", Type = DeviceType.Net, SocketPath = "/run/a.sock", Mode = mode, QueuePairs = 2 });
        Assert.Equal(
            $"--memory size=1G,shared=on \\\n--cpus boot=2 \\\n"
            + $"--net mac=52:54:00:0c:29:c8,vhost_user=true,socket=/run/a.sock,num_queues=4,vhost_mode={theirs}\n",
            await Cli().OutputAsync("cloud-hypervisor", "a", "--memory", "1G"));
    }

    private sealed class ValidatorTheoryAttribute : TheoryAttribute
    {
        public ValidatorTheoryAttribute() => Skip = File.Exists(Validator) && File.Exists("/usr/bin/xmllint") ? null : "virt-xml-validate is not installed: deploy/setup.sh tests";
    }
}
