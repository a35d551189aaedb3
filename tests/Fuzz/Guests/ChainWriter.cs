using System.Buffers.Binary;
using InterGuest.Fuzz.Engine;

namespace InterGuest.Fuzz.Guests;

/// <summary>A driver that writes descriptor chains into its memory: proper ones for the most part, with something wrong now and then.</summary>
internal sealed class ChainWriter(GuestPlan plan, QueuePlace place)
{
    private const int MaxEntries = 24;

    /// <summary>How many of 100 descriptors have something wrong.</summary>
    public int WrongPercent { get; init; } = 4;

    /// <summary>Writes a chain that begins at <paramref name="head"/>.</summary>
    /// <param name="input">The choices.</param>
    /// <param name="head">Index of the first descriptor.</param>
    /// <param name="writablePercent">How many of 100 chains are for the device to write alone; the others have both kinds.</param>
    /// <returns>How many descriptors of the queue's table it took.</returns>
    public int Write(Input input, int head, int writablePercent)
    {
        bool table = input.Chance(35);
        int direct = table ? 1 + (input.Chance(20) ? input.Below(4) : 0) : input.Between(1, Math.Min(place.Size, 12));
        bool writableAlone = input.Chance(writablePercent);
        int readable = writableAlone ? 0 : input.Chance(50) ? direct : input.Below(direct + 1);
        for (int i = 0; i < direct; i++)
        {
            int index = (head + i) % place.Size;
            bool last = i == direct - 1;
            byte[] entry = last && table ? Table(input, readable < direct - 1 || writableAlone) : Entry(input, i >= readable, last ? null : (index + 1) % place.Size);
            plan.Arena.Store(place.Descriptors + 16 * index, entry);
        }
        return direct;
    }

    private byte[] Entry(Input input, bool write, int? next)
    {
        var (address, length) = plan.Buffer(input);
        int flags = (write ? GuestPlan.Write : 0) | (next != null ? GuestPlan.Next : 0);
        int following = next ?? input.Byte();
        if (input.Chance(WrongPercent))
        {
            if (input.Chance(50))
                flags ^= 1 << input.Below(input.Chance(50) ? 3 : 16);
            else
                following = input.Pick(0, following - 1, place.Size, place.Size - 1, ushort.MaxValue, input.U16());
        }
        return GuestPlan.Descriptor(address, length, flags, following);
    }

    /// <summary>Writes an indirect table, and makes the descriptor that names it.</summary>
    private byte[] Table(Input input, bool writableAlone)
    {
        int count = input.Between(1, input.Chance(20) ? MaxEntries : 6);
        int readable = writableAlone ? 0 : input.Chance(50) ? count : input.Below(count + 1);
        ulong address = plan.Table(input, 16 * count);
        for (int i = 0; i < count; i++)
        {
            byte[] entry = Entry(input, i >= readable, i == count - 1 ? null : i + 1);
            // A table in a table, now and then.
            if (input.Chance(WrongPercent / 2))
                BinaryPrimitives.WriteUInt16LittleEndian(entry.AsSpan(12), (ushort)(GuestPlan.Indirect | input.Below(8)));
            plan.Arena.StoreAt(address + 16 * (ulong)i, entry);
        }
        uint length = input.Chance(WrongPercent) ? input.Pick(0u, (uint)(16 * count - 1), (uint)(16 * count + 8), 16 * 1024u, 16 * 1025u, 16 * (uint)(place.Size + 1), 16 * 65536u, input.U32()) : (uint)(16 * count);
        int flags = GuestPlan.Indirect | (input.Chance(WrongPercent) ? input.Below(4) : 0);
        return GuestPlan.Descriptor(address, length, flags, input.Byte());
    }
}
