using InterGuest.Switch.DataPath;
using InterGuest.Testing;
using InterGuest.Virtio.Devices;

namespace InterGuest.Switch.Tests.DataPath;

/// <summary>The driver of a <see cref="FlipGuest"/> that spoils what its rings and buffers hold while the device works on them.</summary>
internal abstract class FlipDriver(FlipGuest guest)
{
    protected const ulong Nowhere = FlipGuest.Area + 0x1000;

    protected FlipGuest Guest => guest;

    /// <summary>Whether the rings stand still: the driver has lost track of them by its own doing.</summary>
    public virtual bool IsStuck => false;

    /// <summary>The device's side of the ring that the guest sends on, from where it is to start.</summary>
    public abstract QueueEnd SendEnd();

    /// <summary>Of the one that it receives on.</summary>
    public abstract QueueEnd ReceiveEnd();

    /// <summary>Begins the rings anew, while no device uses them.</summary>
    public virtual void Reset()
    {
    }

    /// <summary>Spoils one thing, makes everything available again, mends it.</summary>
    public abstract void Flip(Random random);

    /// <summary>An address anywhere in an area, over its end, or where no memory is.</summary>
    protected static ulong SomeAddress(Random random, ulong area) =>
        random.Next(8) == 0 ? (ulong)random.NextInt64() : area + (ulong)random.Next((int)Nowhere);

    /// <summary>A byte of a header of a frame to be sent.</summary>
    protected void SpoilHeader(Random random, int index) =>
        Guest.Memory.At(FlipGuest.SendBuffer(index) + (uint)random.Next(10), 1)[0] = (byte)random.Next(0x80);

    /// <summary>Without offloads again: else there would soon be no frame that is delivered.</summary>
    protected void MendHeader(int index) => Guest.Memory.At(FlipGuest.SendBuffer(index), NetHeader.Bytes).Clear();
}

/// <summary>With split rings: descriptors, heads, indices, the used rings.</summary>
internal sealed class SplitFlipDriver(FlipGuest guest) : FlipDriver(guest)
{
    private int Size => Guest.Send.Size;

    public override QueueEnd SendEnd() => Guest.End(Guest.Send, Guest.SendCounters);

    public override QueueEnd ReceiveEnd() => Guest.End(Guest.Receive, Guest.ReceiveCounters);

    public override void Flip(Random random)
    {
        int index = random.Next(Size);
        var ring = random.Next(2) == 0 ? Guest.Send : Guest.Receive;
        Spoil(random, ring, index);
        FlipGuest.Feed(Guest.Send);
        FlipGuest.Feed(Guest.Receive);
        Thread.SpinWait(random.Next(30));
        Guest.SetSendBuffer(index);
        Guest.SetReceiveBuffer(index);
        MendHeader(index);
        ring.SetHead(index, (ushort)index);
    }

    private void Spoil(Random random, FlatRing ring, int index)
    {
        bool sends = ring == Guest.Send;
        ulong area = sends ? FlipGuest.SendAt : FlipGuest.ReceiveAt;
        switch (random.Next(8))
        {
            case 0 or 1 or 2:
                ring.SetDescriptor(index, SomeAddress(random, area), (uint)random.Next(random.Next(4) == 0 ? 0x7fff_ffff : 0x180), random.Next(8), random.Next(Size + 4));
                break;
            case 3 or 4:
                ring.SetDescriptor(index, area + (ulong)(index * 2 * FlipGuest.BufferBytes), (uint)random.Next(0x100), sends ? 1 : 3, random.Next(Size));
                break;
            case 5:
                SpoilHeader(random, index);
                break;
            case 6:
                ring.SetHead(index, (ushort)(random.Next(2000) == 0 ? random.Next(2 * Size) : index));
                break;
            default:
                ring.SpoilUsed(random.Next(1 << 20), (byte)random.Next(0x80));
                if (random.Next(10_000) == 0)
                    ring.AvailableIndex += (ushort)random.Next(0x7fff);
                break;
        }
    }
}

/// <summary>With packed rings: addresses, lengths, ids and flags of entries, chains that there are not, the event structures.</summary>
internal sealed class PackedFlipDriver : FlipDriver
{
    /// <summary>Flips without a buffer used, after which a ring is not going to move.</summary>
    private const int Patience = 20_000;

    private const ulong PackedFeatures = TestGuest.PlainFeatures | Features.RingPacked;
    private const int Write = 2;

    private readonly FlatPackedRing _send;
    private readonly FlatPackedRing _receive;
    private int _sendIdle;
    private int _receiveIdle;

    // Flags that the next entry made available does not need.
    private int _odd;

    public PackedFlipDriver(FlipGuest guest) : base(guest)
    {
        int size = guest.Send.Size;
        (_send, _receive) = (new FlatPackedRing(guest.Memory, guest.SendRingAt, size), new FlatPackedRing(guest.Memory, guest.ReceiveRingAt, size));
    }

    public override bool IsStuck => Math.Max(_sendIdle, _receiveIdle) > Patience;

    public override QueueEnd SendEnd() => Guest.End(_send.Layout, _send.Size, PackedFeatures, FlatPackedRing.Fresh, Guest.SendCounters);

    public override QueueEnd ReceiveEnd() => Guest.End(_receive.Layout, _receive.Size, PackedFeatures, FlatPackedRing.Fresh, Guest.ReceiveCounters);

    public override void Reset()
    {
        _send.Reset();
        _receive.Reset();
        (_sendIdle, _receiveIdle) = (0, 0);
    }

    public override void Flip(Random random)
    {
        int index = random.Next(_send.Size);
        bool sends = random.Next(2) == 0;
        var ring = sends ? _send : _receive;
        Spoil(random, ring, sends, index);
        _sendIdle = _send.Feed(SendBuffer) > 0 ? 0 : _sendIdle + 1;
        _receiveIdle = _receive.Feed(ReceiveBuffer) > 0 ? 0 : _receiveIdle + 1;
        Thread.SpinWait(random.Next(30));
        ring.SetAddress(index, sends ? FlipGuest.SendBuffer(index) : FlipGuest.ReceiveBuffer(index));
        MendHeader(index);
        ring.SetLength(index, (uint)(sends ? FlipGuest.BufferBytes / 2 : FlipGuest.BufferBytes));
    }

    private void Spoil(Random random, FlatPackedRing ring, bool sends, int index)
    {
        switch (random.Next(8))
        {
            case 0 or 1 or 2:
                ring.SetAddress(index, SomeAddress(random, sends ? FlipGuest.SendAt : FlipGuest.ReceiveAt));
                break;
            case 3:
                ring.SetLength(index, (uint)random.Next(random.Next(4) == 0 ? 0x7fff_ffff : 0x180));
                break;
            case 4:
                ring.SetId(index, (ushort)random.Next(0x10000));
                break;
            case 5:
                SpoilHeader(random, index);
                break;
            case 6:
                // WRITE, INDIRECT, reserved ones; seldom NEXT, which makes a chain with the entry behind, and any byte of the ring.
                _odd = random.Next(0x8000) & 0x7f7e;
                if (random.Next(2000) != 0)
                    break;
                _odd |= 1;
                ring.Spoil(random.Next(1 << 20), (byte)random.Next(0x80));
                break;
            default:
                ring.Spoil(16 * ring.Size + random.Next(8), (byte)random.Next(0x80));
                break;
        }
    }

    private (ulong Address, uint Length, int Flags) SendBuffer(int index) => (FlipGuest.SendBuffer(index), FlipGuest.BufferBytes / 2, Odd(0));

    private (ulong Address, uint Length, int Flags) ReceiveBuffer(int index) => (FlipGuest.ReceiveBuffer(index), FlipGuest.BufferBytes, Odd(Write));

    private int Odd(int flags)
    {
        flags ^= _odd;
        _odd = 0;
        return flags;
    }
}
