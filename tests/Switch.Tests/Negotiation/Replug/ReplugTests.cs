using System.Text.Json.Nodes;
using InterGuest.Switch.Negotiation.Replug;
using InterGuest.Virtio.Devices;

namespace InterGuest.Switch.Tests.Negotiation.Replug;

/// <summary>A device is plugged out and in again over QMP, as QEMU 7.2 speaks it; the whole with a real QEMU is in Interop.Tests.</summary>
public class ReplugTests
{
    private const ulong Tso = Features.NetHostTso4 | Features.NetHostTso6;
    private readonly List<string> _progress = [];
    private readonly TaskCompletionSource<string> _gaveUp = new();

    [Fact]
    public async Task TheDeviceComesBackAsItWasButWithoutTheFeatures()
    {
        await using var qemu = new FakeQemu();
        await RunAsync(qemu, Tso);
        var (command, added) = qemu.Changes.Last();
        Assert.Equal(["device_del", "device_add"], qemu.Changes.Select(c => c.Command));
        Assert.Equal("device_add", command);
        Assert.Equal(
            """{"driver":"virtio-net-pci","id":"net0","bus":"rp1","netdev":"a-net","mac":"52:54:00:00:00:01","addr":0,"romfile":"","vectors":0,"host_mtu":0,"mrg_rxbuf":true,"csum":true,"guest_csum":true,"guest_tso4":true,"host_tso4":false,"host_tso6":false}""",
            added!.ToJsonString());
        Assert.Equal("device net0 is plugged in without host_tso4, host_tso6", _progress[^1]);
        Assert.False(_gaveUp.Task.IsCompleted);
    }

    [Fact]
    public async Task AGuestThatDoesNotLetGoKeepsTheDevice()
    {
        await using var qemu = new FakeQemu { LetsGo = false };
        using var cancel = new CancellationTokenSource();
        var run = RunAsync(qemu, Tso, TimeSpan.FromMilliseconds(50), cancel.Token);
        Assert.Contains("it has the device as before", await Wait.ForAsync(_gaveUp.Task, "it gives up"), StringComparison.Ordinal);
        Assert.Equal(["device_del"], qemu.Changes.Select(c => c.Command));
        // It lets go after all: then it gets the device back, with all that it had.
        await qemu.TellAsync("DEVICE_DELETED");
        await Wait.ForAsync(run, "the device is put back");
        Assert.True(qemu.Changes.Last().Arguments!["host_tso4"]!.GetValue<bool>());
        Assert.Equal("device net0 is plugged in as it was", _progress[^1]);
    }

    [Fact]
    public async Task AGuestThatRefusesKeepsTheDevice()
    {
        await using var qemu = new FakeQemu { LetsGo = false };
        var run = RunAsync(qemu, Tso);
        await Wait.ForAsync(qemu.Deleted, "the guest is asked");
        await qemu.TellAsync("DEVICE_UNPLUG_GUEST_ERROR");
        Assert.Contains("refused to let go", (await Assert.ThrowsAsync<QmpException>(() => run)).Message, StringComparison.Ordinal);
        Assert.Single(qemu.Changes);
    }

    [Fact]
    public async Task WhatCannotBePluggedInWithFewerFeaturesIsPutBackAsItWas()
    {
        await using var qemu = new FakeQemu
        {
            Refuse = (command, arguments) => command == "device_add" && Off(arguments, "host_tso4") ? "no such property" : null,
        };
        var e = await Assert.ThrowsAsync<QmpException>(() => RunAsync(qemu, Tso));
        Assert.Equal("device_add: no such property", e.Message);
        Assert.Equal(["device_del", "device_add", "device_add"], qemu.Changes.Select(c => c.Command));
        Assert.False(Off(qemu.Changes.Last().Arguments, "host_tso4"));
    }

    [Fact]
    public async Task ABusWithoutHotplugLeavesAllAsItIs()
    {
        await using var qemu = new FakeQemu { Refuse = (command, _) => command == "device_del" ? "Bus 'pcie.0' does not support hotplugging" : null };
        Assert.Contains("does not support hotplugging", (await Assert.ThrowsAsync<QmpException>(() => RunAsync(qemu, Tso))).Message, StringComparison.Ordinal);
        Assert.Single(qemu.Changes);
    }

    [Theory]
    [InlineData("the QEMU of another port", "no character device")]
    [InlineData("a device without an id", "has no id")]
    [InlineData("no QMP", "does not speak QMP")]
    [InlineData("not JSON", "QMP:")]
    [InlineData("a line without an end", "does not end")]
    public async Task WhatIsWrongIsSaidAndNothingIsDone(string wrong, string message)
    {
        await using var qemu = wrong switch
        {
            "the QEMU of another port" => new FakeQemu { PortSocket = "/elsewhere.sock" },
            "a device without an id" => new FakeQemu { Refuse = (command, arguments) => command == "qom-list" && arguments!["path"]!.GetValue<string>() != "/chardevs" ? "Device 'x' not found" : null },
            "no QMP" => new FakeQemu { Greeting = """{"hello": 1}""" },
            "not JSON" => new FakeQemu { Greeting = "220 mail.example ESMTP" },
            _ => new FakeQemu { Greeting = new string('x', 5 << 20) },
        };
        Assert.Contains(message, (await Assert.ThrowsAsync<QmpException>(() => RunAsync(qemu, Tso))).Message, StringComparison.Ordinal);
        Assert.Empty(qemu.Changes);
    }

    [Fact]
    public async Task NobodyThereIsSaidWithTheRemedy()
    {
        var request = new ReplugRequest("/nowhere/qmp.sock", "/a.sock", Tso, TimeSpan.FromSeconds(1));
        var e = await Assert.ThrowsAsync<QmpException>(() => Replugger.RunAsync(request, _progress.Add, _ => { }, CancellationToken.None));
        Assert.Contains("-qmp unix:/nowhere/qmp.sock", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void EveryPairedFeatureOfTheNetTableThatAVmmDecidesHasAProperty() =>
        Assert.Equal(FeatureTable.Net.Paired & ~Features.NetMtu, QemuProperties.Removable);

    private static bool Off(JsonObject? arguments, string property) => arguments?[property]?.GetValue<bool>() == false;

    private Task RunAsync(FakeQemu qemu, ulong without, TimeSpan? letGo = null, CancellationToken cancel = default) => Replugger.RunAsync(
        new ReplugRequest(qemu.Path, "/run/interguest/ports/a.sock", without, letGo ?? TimeSpan.FromSeconds(20)), _progress.Add, _gaveUp.SetResult, cancel);
}
