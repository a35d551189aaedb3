using InterGuest.Virtio.Memory;
using InterGuest.Virtio.Native;
using InterGuest.Virtio.Tests.Fixtures;
using InterGuest.Virtio.VhostUser;

namespace InterGuest.Virtio.Tests.VhostUser;

/// <summary>Messages with descriptors: memory, and doorbells.</summary>
public sealed class BackEndSessionDescriptorTests : IDisposable
{
    private const ulong Page = Regions.Page;
    private static readonly RegionLayout First = new(0, Page, 0x10_0000, 0), Second = new(Page, 2 * Page, 0x20_0000, Page);

    private readonly SessionUnderTest _session = new();
    private readonly string _name = Fds.UniqueName("session");

    public BackEndSessionDescriptorTests() => _session.NegotiateAcks();

    private RecordingBackEnd Device => _session.Device;

    public void Dispose()
    {
        _session.Dispose();
        Assert.Equal((0, 0), (Fds.CountMapped(_name), Fds.CountOpen(_name)));
    }

    /// <summary>Sends new memory files along, of which the test keeps none.</summary>
    private byte[] Send(RequestCode request, byte[] body, params long[] fileSizes)
    {
        FileDescriptor[] files = [.. fileSizes.Select(size => MemFd.Create(_name, size))];
        byte[] reply = _session.Exchange(request, body, needReply: true, files);
        foreach (var file in files)
            file.Dispose();
        return reply;
    }

    private void AssertDone(RequestCode request, byte[] body, params long[] fileSizes) =>
        Assert.Equal(SessionUnderTest.Ack(request, 0), Send(request, body, fileSizes));

    private void AssertRefused(RequestCode request, byte[] body, params long[] fileSizes) =>
        Assert.Equal(SessionUnderTest.Ack(request, 1), Send(request, body, fileSizes));

    private void AssertMemory(params RegionLayout[] regions)
    {
        Assert.Equal(regions, Device.Memory.Layout);
        Assert.Equal(regions.Length, Fds.CountMapped(_name));
        _session.Exchange(RequestCode.GetFeatures, []); // the next message closes what the last one left
        Assert.Equal(0, Fds.CountOpen(_name));
    }

    [Fact]
    public void TableReplacesAllMemory()
    {
        AssertDone(RequestCode.SetMemoryTable, RawPeer.Table(First, Second), 4096, 3 * 4096);
        AssertMemory(First, Second);
        AssertDone(RequestCode.SetMemoryTable, RawPeer.Table(Second), 3 * 4096);
        AssertMemory(Second);
        AssertDone(RequestCode.SetMemoryTable, RawPeer.Table());
        AssertMemory();
    }

    [Fact]
    public void TableOfEightRegions()
    {
        RegionLayout[] eight = [.. Enumerable.Range(0, 8).Select(i => new RegionLayout((ulong)i << 20, Page, (ulong)(i + 1) << 20, 0))];
        AssertDone(RequestCode.SetMemoryTable, RawPeer.Table(eight), [.. Enumerable.Repeat(4096L, 8)]);
        AssertMemory(eight);
    }

    [Theory]
    [InlineData(4096L, 4096L)] // the second file is too short
    [InlineData(4095L, 3 * 4096L)] // the first is
    public void TableIsAllOrNothing(long first, long second)
    {
        var old = First with { Size = 2 * Page };
        AssertDone(RequestCode.SetMemoryTable, RawPeer.Table(old), 8192);
        AssertRefused(RequestCode.SetMemoryTable, RawPeer.Table(First, Second), first, second);
        AssertMemory(old);
    }

    [Fact]
    public void TableWithAnOverlapIsRefused()
    {
        AssertRefused(RequestCode.SetMemoryTable, RawPeer.Table(First, First with { Size = 2 * Page }), 4096, 8192);
        AssertMemory();
    }

    [Fact]
    public void TableThatTheDeviceRefusesIsReleased()
    {
        Device.Refusing.Add("SetMemory");
        AssertRefused(RequestCode.SetMemoryTable, RawPeer.Table(First), 4096);
        AssertMemory();
    }

    [Theory]
    [InlineData(9u)]
    [InlineData(uint.MaxValue)]
    public void TableThatCountsMoreThanEightIsRefused(uint count)
    {
        byte[] body = RawPeer.Table([.. Enumerable.Repeat(First, 8)]);
        BitConverter.TryWriteBytes(body, count);
        AssertRefused(RequestCode.SetMemoryTable, body, [.. Enumerable.Repeat(4096L, 8)]);
        AssertMemory();
    }

    [Fact]
    public void RegionsComeAndGoOneByOne()
    {
        AssertDone(RequestCode.AddMemoryRegion, RawPeer.Region(Second), 3 * 4096);
        AssertDone(RequestCode.AddMemoryRegion, RawPeer.Region(First), 4096);
        AssertMemory(First, Second);
        AssertRefused(RequestCode.AddMemoryRegion, RawPeer.Region(First with { Size = 2 * Page }), 8192);
        AssertMemory(First, Second);
        AssertDone(RequestCode.RemoveMemoryRegion, RawPeer.Region(Second with { FileOffset = 0 }));
        AssertMemory(First);
        AssertDone(RequestCode.RemoveMemoryRegion, RawPeer.Region(First), 4096); // with its descriptor, which is closed
        AssertMemory();
    }

    /// <summary>QEMU before 10 adds and removes each region once per queue pair.</summary>
    [Fact]
    public void RepeatedAddAndRemoveAreDoneOnce()
    {
        using var file = MemFd.Create(_name, 4096);
        for (int i = 0; i < 3; i++)
            Assert.Equal(
                SessionUnderTest.Ack(RequestCode.AddMemoryRegion, 0),
                _session.Exchange(RequestCode.AddMemoryRegion, RawPeer.Region(First), true, file));
        file.Dispose();
        AssertMemory(First);
        for (int i = 0; i < 3; i++)
            AssertDone(RequestCode.RemoveMemoryRegion, RawPeer.Region(First));
        AssertMemory();
        Assert.Equal(2, Device.Calls.Count(c => c.StartsWith("SetMemory", StringComparison.Ordinal)));
    }

    /// <summary>"Done" without having done it would leave us copying from and to memory that is no longer the guest's.</summary>
    [Fact]
    public void AnotherFileAtTheSameAddressesIsNotTheRegionThatWeHave()
    {
        AssertDone(RequestCode.AddMemoryRegion, RawPeer.Region(First), 4096);
        using var other = MemFd.Create(_name, 4096);
        Fds.Write(other, 0x1234);
        byte[] reply = _session.Exchange(RequestCode.AddMemoryRegion, RawPeer.Region(First), true, other);
        other.Dispose();
        if (reply.SequenceEqual(SessionUnderTest.Ack(RequestCode.AddMemoryRegion, 0)))
            unsafe
            {
                Assert.Equal(0x1234UL, *(ulong*)new AddressTranslator(Device.Memory).Translate(0, out _));
            }
    }

    [Fact]
    public void PipeForMemoryIsRefused()
    {
        using var pipe = Fds.Pipe().Read;
        _session.AssertRefusedWithAck(RequestCode.AddMemoryRegion, RawPeer.Region(First), pipe);
        AssertMemory();
    }

    [Theory]
    [InlineData(RequestCode.SetVringKick, "SetVringKick")]
    [InlineData(RequestCode.SetVringCall, "SetVringCall")]
    [InlineData(RequestCode.SetVringError, "SetVringError")]
    public void DoorbellIsTheEventFdThatWasSent(RequestCode request, string method)
    {
        using var bell = EventFd.Create();
        Assert.Equal(SessionUnderTest.Ack(request, 0), _session.Exchange(request, RawPeer.U64(1), true, bell.Descriptor));
        var ring = Device.Rings[1];
        (request == RequestCode.SetVringKick ? ring.Kick : request == RequestCode.SetVringCall ? ring.Call : ring.Error)!.Signal();
        Assert.Equal(1UL, bell.Drain());

        Assert.Equal(SessionUnderTest.Ack(request, 0), _session.Exchange(request, RawPeer.U64(0x101), true));
        Assert.Equal([method + " 1", method + " 1 none"], Device.Calls);
        // Bits above the ring's index and NOFD are reserved.
        Device.Refusing.Add(method);
        _session.AssertRefusedWithAck(request, RawPeer.U64(0xff), bell.Descriptor);
        Assert.Equal(method + " 255", Device.Calls[^1]);
    }

    [Theory]
    [InlineData(RequestCode.SetVringKick)]
    [InlineData(RequestCode.SetVringCall)]
    [InlineData(RequestCode.SetVringError)]
    public void DescriptorThatIsNoEventFdIsRefusedAndClosed(RequestCode request)
    {
        AssertRefused(request, RawPeer.U64(0), 4096);
        using var pipe = Fds.Pipe().Write;
        _session.AssertRefusedWithAck(request, RawPeer.U64(0), pipe);
        Assert.Empty(Device.Calls);
        Assert.Equal(0, Fds.CountOpen(_name));
    }

    [Fact]
    public void DescriptorsOfAMessageThatBreaksTheSessionAreClosedWithIt()
    {
        using (var file = MemFd.Create(_name, 4096))
            Assert.Equal(SessionState.Broken, _session.Handle(RequestCode.AddMemoryRegion, RawPeer.Region(First), false, file, file));
        _session.Session.Dispose();
        Assert.Equal(0, Fds.CountOpen(_name));
    }
}
