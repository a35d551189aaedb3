using InterGuest.Cli.Qemu;
using InterGuest.Protos.V1;

namespace InterGuest.Cli.Tests.Qemu;

public class QemuArgumentsTests
{
    private static readonly Version Debian12 = new(7, 2);
    private static readonly Version Ten = new(10, 0);

    [Fact]
    public void Qemu72WithKvm() => Assert.Equal(
        [
            "-accel kvm",
            "-m 512M",
            "-object memory-backend-memfd,id=interguest-mem,size=512M,share=on",
            "-machine memory-backend=interguest-mem",
            "-chardev socket,id=a-char,path=/run/interguest/a.sock,reconnect=1",
            "-netdev vhost-user,id=a-net,chardev=a-char",
            "-device virtio-net-pci,netdev=a-net,mac=" + QemuText.Mac("a") + ",ctrl_guest_offloads=off,romfile=",
        ],
        Build(APort(), Debian12, kvm: true));

    [Fact]
    public void Qemu72WithTcgCrashesWithMsix()
    {
        string[] arguments = Build(APort(), Debian12, kvm: false);
        Assert.Contains("-accel tcg", arguments);
        Assert.Contains(",vectors=0,", arguments[^1]);
    }

    [Fact]
    public void Qemu10WithTcgDoesNot() => Assert.DoesNotContain("vectors", Build(APort(), Ten, kvm: false)[^1]);

    [Theory]
    [InlineData("9.1", "reconnect=1")]
    [InlineData("9.2", "reconnect-ms=1000")]
    [InlineData("10.0", "reconnect-ms=1000")]
    public void ReconnectIsInMillisecondsFrom92(string version, string option) =>
        Assert.EndsWith("," + option, Chardev(Build(APort(), Version.Parse(version), kvm: true)));

    [Theory]
    [InlineData("7.2", ",ctrl_guest_offloads=off,guest_csum=off,guest_tso4=off,guest_tso6=off,guest_ecn=off,guest_ufo=off,romfile=")]
    [InlineData("8.2", ",guest_ufo=off,guest_uso4=off,guest_uso6=off,romfile=")]
    public void PlainFramesAreWithoutReceiveOffloadsThatThisQemuKnows(string version, string end) =>
        Assert.EndsWith(end, Build(APort(), Version.Parse(version), kvm: true, plainFrames: true)[^1]);

    [Fact]
    public void FourQueuePairsHaveTenVectors()
    {
        string[] arguments = Build(APort(queues: 4), Debian12, kvm: true);
        Assert.Contains("-netdev vhost-user,id=a-net,chardev=a-char,queues=4", arguments);
        Assert.Contains(",mq=on,vectors=10,", arguments[^1]);
    }

    [Fact]
    public void FourQueuePairsWithoutMsixStillAreMultiqueue() =>
        Assert.Contains(",mq=on,vectors=0,", Build(APort(queues: 4), Debian12, kvm: false)[^1]);

    [Fact]
    public void InConnectModeQemuListensAndDoesNotReconnect()
    {
        Port port = APort();
        port.Mode = SocketMode.Connect;
        Assert.EndsWith("path=/run/interguest/a.sock,server=on", Chardev(Build(port, Ten, kvm: true)));
    }

    [Fact]
    public void CommasInAPathAreDoubled()
    {
        Port port = APort();
        port.SocketPath = "/run/a,server=on/b.sock";
        Assert.Contains("path=/run/a,,server=on/b.sock,reconnect", Chardev(Build(port, Ten, kvm: true)));
    }

    [Fact]
    public void IdsAreWhatQemuTakes()
    {
        Port port = APort();
        port.Name = "1.b_c";
        string[] arguments = Build(port, Ten, kvm: true);
        Assert.Contains("-netdev vhost-user,id=port-1.b_c-net,chardev=port-1.b_c-char", arguments);
        Assert.Contains("netdev=port-1.b_c-net,", arguments[^1]);
    }

    [Theory]
    [InlineData(DeviceType.Block, "-device vhost-user-blk-pci,chardev=a-char,num-queues=2")]
    [InlineData(DeviceType.Entropy, "-device vhost-user-rng-pci,chardev=a-char")]
    [InlineData(DeviceType.BlockServer, "-device virtio-net-pci,netdev=a-net,")]
    public void ADeviceOfThePortsType(DeviceType type, string device)
    {
        var port = APort(2);
        port.Type = type;
        string last = Build(port, Ten, kvm: true)[^1];
        Assert.StartsWith(device, last, StringComparison.Ordinal);
        Assert.Equal(type != DeviceType.BlockServer, last == device);
    }

    [Fact]
    public void ADeviceThatCanBePluggedOutHasAnIdAndARootPort()
    {
        var port = APort();
        (port.Type, port.QmpSocket) = (DeviceType.Net, "/run/vm/a,1.qmp");
        string[] arguments = Build(port, Debian12, kvm: true);
        Assert.Contains("-machine q35,memory-backend=interguest-mem", arguments);
        Assert.Contains("-qmp unix:/run/vm/a,,1.qmp,server=on,wait=off", arguments);
        Assert.Contains($"-device pcie-root-port,id=a-root,slot={QemuText.Slot("a")}", arguments);
        Assert.StartsWith("-device virtio-net-pci,netdev=a-net,id=a-nic,bus=a-root,mac=", arguments[^1]);
        port.Type = DeviceType.BlockServer; // the switch plugs network devices alone
        Assert.DoesNotContain(Build(port, Debian12, kvm: true), a => a.Contains("root", StringComparison.Ordinal));
    }

    /// <summary>QEMU aborts when its source of entropy finds no connection as it is made, and with 'reconnect' there is none yet.</summary>
    [Theory]
    [InlineData(DeviceType.Block, true)]
    [InlineData(DeviceType.Entropy, false)]
    public void ReconnectsWhatCan(DeviceType type, bool reconnects)
    {
        var port = APort();
        port.Type = type;
        Assert.Equal(reconnects, Chardev(Build(port, Ten, kvm: true)).Contains("reconnect", StringComparison.Ordinal));
    }

    private static string Chardev(string[] arguments) =>
        arguments.Single(a => a.StartsWith("-chardev", StringComparison.Ordinal));

    private static string[] Build(Port port, Version version, bool kvm, bool plainFrames = false) =>
        QemuArguments.Build(port, new QemuSettings("512M", kvm, version, plainFrames)).Select(o => $"{o.Flag} {o.Value}").ToArray();

    private static Port APort(uint queues = 1) =>
        new() { Name = "a", Mode = SocketMode.Listen, SocketPath = "/run/interguest/a.sock", QueuePairs = queues };
}
