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
        Control.Ports.Add(new Port { Name = "a", SocketPath = "/run/a&b.sock", Mode = SocketMode.Listen, QueuePairs = 1 });
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
        Control.Ports.Add(new Port { Name = "a", SocketPath = "/run/a.sock", Mode = SocketMode.Connect, QueuePairs = 4 });
        string output = await Cli().OutputAsync("libvirt", "a");
        Assert.Contains("""<source type="unix" path="/run/a.sock" mode="server" />""", output);
        Assert.Contains("""<driver queues="4" />""", output);
    }

    /// <summary>By libvirt's own schema (virt-xml-validate of libvirt-clients).</summary>
    [ValidatorTheory]
    [InlineData(SocketMode.Listen, 1u)]
    [InlineData(SocketMode.Connect, 4u)]
    public async Task LibvirtAcceptsTheDomain(SocketMode mode, uint queuePairs)
    {
        Control.Ports.Add(new Port { Name = "a", SocketPath = "/run/a.sock", Mode = mode, QueuePairs = queuePairs });
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
        Control.Ports.Add(new Port { Name = "a", SocketPath = "/run/a.sock", Mode = mode, QueuePairs = 2 });
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
