using System.Buffers.Binary;
using InterGuest.Fuzz.Engine;
using InterGuest.Fuzz.Model;
using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Memory;
using InterGuest.Virtio.Native;
using InterGuest.Virtio.Tests.Fixtures;

namespace InterGuest.Fuzz.Guests;

/// <summary>A front-end that knows what a proper one says, and says something else now and then.</summary>
internal sealed class HostileFrontEnd : IDisposable
{
    private const ulong GuestAt = 0x4000_0000, UserAt = 0x7f00_0000_0000, Bytes = 64 << 10;
    // vhost-user, "Migration": a bit for each page of 4 KiB, up to the last of the guest.
    private const int LogBytes = (int)((GuestAt + Bytes) / 4096 / 8);
    private const int RingSize = 8, RingBytes = 1024, Rings = 4, StepsPerRing = 6, FirstRingStep = 6;
    private const ulong Accepted = Features.Version1 | Features.VhostUserProtocolFeatures | Features.RingIndirectDescriptors;

    private readonly Input _input;
    private readonly FileDescriptor _memory;
    private readonly List<FileDescriptor> _open = [];
    private readonly RegionLayout _region = new(GuestAt, Bytes, UserAt, 0);

    public HostileFrontEnd(Input input)
    {
        _input = input;
        // Two of three can be cut short later: one of those takes the switch's seal, one does not.
        _memory = input.Below(3) switch
        {
            0 => MemFd.Create(FuzzedSwitch.FileName, (long)Bytes),
            1 => MemFd.Create(FuzzedSwitch.FileName, (long)Bytes, seal: false),
            _ => Unsealable(),
        };
        FillMemory();
    }

    /// <summary>The next message, and the descriptors that go with it.</summary>
    public (RawMessage Message, FileDescriptor[] Fds) Next(int step)
    {
        if (_input.Chance(3))
            _ = Libc.ftruncate(_memory.Number, _input.Pick(0, 4096, (long)Bytes));
        var (request, body, fds) = Proper(_input.Chance(85) ? Script(step) : _input.Below(FirstRingStep + Rings * StepsPerRing));
        uint flags = 1 | (_input.Chance(30) ? 8u : 0);
        if (!_input.Chance(5))
            return (new RawMessage(request, flags, (uint)body.Length, body, fds.Length), fds);
        return Spoil(request, flags, body, fds);
    }

    public void Dispose()
    {
        _memory.Dispose();
        _open.ForEach(f => f.Dispose());
    }

    /// <summary>A whole start first; then one thing or another.</summary>
    private int Script(int step) => step < FirstRingStep + Rings * StepsPerRing ? step : 1000 + _input.Below(21);

    private (uint Request, byte[] Body, FileDescriptor[] Fds) Proper(int step)
    {
        if (step is >= FirstRingStep and < FirstRingStep + Rings * StepsPerRing)
            return RingStep((step - FirstRingStep) % StepsPerRing, (uint)((step - FirstRingStep) / StepsPerRing));
        uint ring = (uint)_input.Below(Rings);
        return step switch
        {
            0 => (1, [], []),
            1 => (15, [], []),
            2 => (16, RawPeer.U64(_input.Chance(50) ? 0x1a01fu : 0x18009u), []),
            3 => (3, [], []),
            4 => (2, RawPeer.U64(Accepted), []),
            5 => (5, RawPeer.Table(_region), [_memory]),
            1000 => (11, RawPeer.U32s(ring, 0), []),
            1001 => (18, RawPeer.U32s(ring, (uint)_input.Below(2)), []),
            1002 => (37, RawPeer.Region(new RegionLayout(GuestAt + Bytes, 4096, UserAt + Bytes, 4096)), [_memory]),
            1003 => (38, RawPeer.Region(new RegionLayout(GuestAt + Bytes, 4096, UserAt + Bytes, 0)), []),
            1004 => (2, RawPeer.U64(_input.Pick(Accepted, Accepted | Features.VhostLogAll, Accepted | Features.VhostLogAll, _input.U64())), []),
            1005 => (5, RawPeer.Table(_region), [_memory]),
            1006 => (39, RawPeer.U64(_input.Byte()), []),
            1007 => (40, [], []),
            1008 => (17, [], []),
            1009 => (36, [], []),
            1010 => (21, [], [Pair()]),
            // A log with a bit for every page of the guest, or not quite.
            1012 => (6, RawPeer.U64s(_input.Chance(80) ? LogBytes : _input.U64(), _input.Chance(80) ? 0 : _input.U64()), [Log()]),
            1013 => (7, [], [Bell()]),
            1014 => (19, RawPeer.U64(_input.U64()), []),
            1015 => (20, RawPeer.U64(_input.Chance(50) ? 1500u : _input.U64()), []),
            1016 => (24, Config(), []),
            1017 => (25, Config(), []),
            1018 => (31, Inflight(), []),
            1019 => (32, Inflight(), [_memory]),
            1020 => (34, [], []),
            _ => RingStep(_input.Below(StepsPerRing), ring),
        };
    }

    private (uint Request, byte[] Body, FileDescriptor[] Fds) RingStep(int step, uint ring)
    {
        ulong at = UserAt + ring * RingBytes;
        return step switch
        {
            0 => (8, RawPeer.U32s(ring, RingSize), []),
            1 => (10, RawPeer.U32s(ring, 0), []),
            2 => (9, [.. RawPeer.U32s(ring, _input.Chance(20) ? 1u : 0), .. RawPeer.U64s(at, at + 256, at + 512, _input.Chance(80) ? at + 256 - UserAt + GuestAt : _input.U64())], []),
            3 => (13, RawPeer.U64(ring), [Bell()]),
            4 => _input.Chance(20) ? (12, RawPeer.U64(ring | 0x100), []) : (12, RawPeer.U64(ring), [Bell()]),
            _ => (18, RawPeer.U32s(ring, 1), []),
        };
    }

    private (RawMessage Message, FileDescriptor[] Fds) Spoil(uint request, uint flags, byte[] body, FileDescriptor[] fds)
    {
        body = [.. body];
        uint size = (uint)body.Length;
        switch (_input.Below(8))
        {
            case 0:
                request = _input.Chance(60) ? ReferenceSession.Known[_input.Below(ReferenceSession.Known.Count)] : 1000u + _input.U16();
                break;
            case 1:
                flags = _input.U32();
                break;
            case 2:
                Array.Resize(ref body, _input.Pick(0, body.Length + 1, Math.Max(0, body.Length - 1), body.Length + 8, _input.Below(4097)));
                size = (uint)body.Length;
                break;
            case 3:
                size = 4097u + _input.U16();
                break;
            case 4:
                fds = [.. fds, .. Enumerable.Range(0, _input.Pick(1, 2, 31, 32, 33)).Select(_ => Wrong())];
                break;
            case 5:
                fds = fds.Length > 0 && _input.Chance(50) ? fds[1..] : [.. fds.Select(_ => Wrong())];
                break;
            default:
                for (int at = 0; at + 8 <= body.Length; at += 8)
                    if (_input.Chance(40))
                        BinaryPrimitives.WriteUInt64LittleEndian(body.AsSpan(at), _input.Chance(50) ? _input.U64() : BinaryPrimitives.ReadUInt64LittleEndian(body.AsSpan(at)) + (ulong)(sbyte)_input.Byte());
                break;
        }
        return (new RawMessage(request, flags, size, body, fds.Length), fds);
    }

    /// <summary>Rings with chains of all kinds available.</summary>
    private void FillMemory()
    {
        using var memory = new DriverMemory(_memory.Duplicate(), (long)Bytes, GuestAt);
        byte[] bytes = _input.Pattern(16 << 10);
        bytes.CopyTo(memory.At(GuestAt, bytes.Length));
        for (int ring = 0; ring < Rings; ring++)
        {
            ulong at = GuestAt + (ulong)(ring * RingBytes);
            for (int i = 0; i < RingSize; i++)
            {
                int flags = ring % 2 == 0 ? GuestPlan.Write : 0;
                byte[] entry = GuestPlan.Descriptor(GuestAt + (ulong)_input.Below((int)Bytes), (uint)_input.Below(3000), _input.Chance(10) ? _input.Byte() : flags, _input.Byte());
                entry.CopyTo(memory.At(at + 16 * (ulong)i, 16));
                memory.At(at + 512 + 4 + 2 * (ulong)i, 2)[0] = (byte)i;
                memory.At(at + 512 + 4 + 2 * (ulong)i, 2)[1] = (byte)(_input.Chance(2) ? 1 : 0);
            }
            new byte[] { 0, 0, (byte)_input.Between(0, 9), 0 }.CopyTo(memory.At(at + 512, 4));
            memory.At(at + 256, 4).Clear(); // the used index, where a ring begins
        }
    }

    private byte[] Config()
    {
        uint size = _input.Chance(80) ? (uint)_input.Below(300) : _input.U32();
        return [.. RawPeer.U32s(_input.U32() % 300, size), .. RawPeer.U32s((uint)_input.Below(2)), .. new byte[Math.Min(size, 256)]];
    }

    private byte[] Inflight() =>
        [.. RawPeer.U64s(_input.Chance(50) ? Bytes : _input.U64(), _input.Chance(80) ? 0 : _input.U64()), .. RawPeer.U32s(_input.U32(), 0)];

    private FileDescriptor Log() => Own(MemFd.Create(FuzzedSwitch.FileName, LogBytes, seal: _input.Chance(50)));

    private FileDescriptor Bell() => Own(EventFd.Create().Descriptor);

    private FileDescriptor Pair()
    {
        var (first, second) = UnixSocket.Pair();
        Own(first);
        return Own(second);
    }

    /// <summary>A descriptor of a kind that is not wanted, or perhaps is.</summary>
    private FileDescriptor Wrong() => _input.Below(4) switch
    {
        0 => _memory,
        1 => Bell(),
        2 => Pair(),
        _ => Own(new FileDescriptor(Libc.Check(Libc.epoll_create1(Libc.EPOLL_CLOEXEC), "epoll_create1"))),
    };

    private FileDescriptor Own(FileDescriptor fd)
    {
        _open.Add(fd);
        return fd;
    }

    private static FileDescriptor Unsealable()
    {
        var fd = new FileDescriptor(Libc.Check(Libc.memfd_create(FuzzedSwitch.FileName, Libc.MFD_CLOEXEC), "memfd_create"));
        Libc.Check(Libc.ftruncate(fd.Number, (long)Bytes), "ftruncate");
        return fd;
    }
}
