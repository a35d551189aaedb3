using System.Runtime.CompilerServices;

namespace InterGuest.Virtio.Memory;

/// <summary>
/// Translates a guest's addresses, any numbers that it gives, and remembers the region that it found last, in which the next
/// is likely to be. Whoever has one holds the memory.
/// </summary>
/// <param name="memory">The guest's.</param>
internal unsafe struct AddressTranslator(GuestMemory memory)
{
    private readonly GuestMemory _memory = memory;
    private ulong _regionAddress;
    private ulong _regionBytes;
    private byte* _region;

    /// <summary>The host address of <paramref name="guestAddress"/>, and how many bytes follow it in its region.</summary>
    /// <param name="guestAddress">Any number.</param>
    /// <param name="available">Bytes from there to the region's end; 0 if there is no memory.</param>
    /// <returns>Null if there is no memory at that address.</returns>
    internal byte* Translate(ulong guestAddress, out ulong available)
    {
        ulong offset = guestAddress - _regionAddress;
        if (offset >= _regionBytes)
        {
            byte* region = _memory.Find(guestAddress, out var layout);
            if (region == null)
            {
                available = 0;
                return null;
            }
            _region = region;
            (_regionAddress, _regionBytes) = (layout.GuestAddress, layout.Size);
            offset = guestAddress - _regionAddress;
        }
        available = _regionBytes - offset;
        return _region + offset;
    }

    /// <summary>The host address of a range, if all of it is in one region; else null.</summary>
    /// <param name="guestAddress">Any number.</param>
    /// <param name="length">Bytes.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal byte* Map(ulong guestAddress, ulong length)
    {
        ulong offset = guestAddress - _regionAddress;
        return offset < _regionBytes && length <= _regionBytes - offset ? _region + offset : MapAnew(guestAddress, length);
    }

    /// <summary>As <see cref="Map"/>, if that is the region found last; else null. Never calls anything, so that a loop around it has all registers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal readonly byte* MapHere(ulong guestAddress, ulong length)
    {
        ulong offset = guestAddress - _regionAddress;
        return offset < _regionBytes && length <= _regionBytes - offset ? _region + offset : null;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private byte* MapAnew(ulong guestAddress, ulong length)
    {
        byte* start = Translate(guestAddress, out ulong available);
        return length <= available ? start : null;
    }
}

/// <summary>How the addresses of a chain are translated, for code that is compiled for each way by itself.</summary>
internal unsafe interface IMapping
{
    /// <summary>The host address of a range, or null.</summary>
    static abstract byte* Map(ref AddressTranslator memory, ulong guestAddress, ulong length);
}

/// <summary>In the region found last alone, in which nearly all are.</summary>
internal readonly unsafe struct LastRegion : IMapping
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static byte* Map(ref AddressTranslator memory, ulong guestAddress, ulong length) => memory.MapHere(guestAddress, length);
}

/// <summary>In any region.</summary>
internal readonly unsafe struct AnyRegion : IMapping
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static byte* Map(ref AddressTranslator memory, ulong guestAddress, ulong length) => memory.Map(guestAddress, length);
}
