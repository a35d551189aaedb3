using System.Buffers.Binary;
using InterGuest.Fuzz.Engine;
using InterGuest.Fuzz.Model;

namespace InterGuest.Fuzz.Guests;

/// <summary>A client of a disk: requests of all kinds, most of them right (VIRTIO 1.2, 5.2.6).</summary>
internal sealed class BlockClientGuest(Arena arena, Input input) : BlockGuest(arena, input)
{
    private const int MostBytes = 12 << 10;

    public void Act(ReferenceBlock block)
    {
        for (int count = Math.Min(Room, Input.Below(5)); count > 0; count--)
            Ask(block);
        Spoil();
    }

    private void Ask(ReferenceBlock block)
    {
        uint operation = Input.Pick(ReferenceRequest.In, ReferenceRequest.In, ReferenceRequest.Out, ReferenceRequest.Out, ReferenceRequest.Flush,
            ReferenceRequest.GetId, ReferenceRequest.Discard, ReferenceRequest.WriteZeroes, 2u);
        if (Input.Chance(2))
            operation = Input.U32();
        uint block512 = block.Disk?.BlockSectors ?? 1;
        ulong sector = Sector(block, block512);
        int bytes = Math.Min(MostBytes, 512 * (int)block512 * Input.Between(1, Input.Chance(70) ? 4 : 24)) + (Input.Chance(3) ? Input.Pick(1, -1, 256) : 0);
        byte[] header = new byte[16];
        BinaryPrimitives.WriteUInt32LittleEndian(header, operation);
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(4), Input.Chance(5) ? Input.U32() : 0);
        BinaryPrimitives.WriteUInt64LittleEndian(header.AsSpan(8), sector);
        int writable = operation switch { ReferenceRequest.In => bytes + 1, ReferenceRequest.GetId => 21, _ => 1 } + (Input.Chance(3) ? Input.Pick(-1, 1, 20) : 0);
        byte[] ranges = operation is ReferenceRequest.Discard or ReferenceRequest.WriteZeroes ? Ranges(block, block512) : [];
        byte[] whole = Input.Chance(2) ? header[..Input.Below(16)] : [.. header, .. ranges];
        Offer(whole, operation == ReferenceRequest.Out ? bytes : Input.Chance(3) ? Input.Below(600) : 0, writable, h => !block.ClientHas(h) || Input.Chance(1));
    }

    private ulong Sector(ReferenceBlock block, uint block512) => Input.Below(20) switch
    {
        0 => Input.U64(),
        1 => (block.Disk?.Capacity ?? 0) - block512 * (ulong)Input.Below(5),
        2 => (ulong)Input.Below(100),
        _ => block512 * (ulong)Input.Below(1000),
    };

    private byte[] Ranges(ReferenceBlock block, uint block512)
    {
        byte[] ranges = new byte[16 * Input.Between(Input.Chance(3) ? 0 : 1, Input.Chance(5) ? 17 : 3)];
        for (int at = 0; at < ranges.Length; at += 16)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(ranges.AsSpan(at), Sector(block, block512));
            BinaryPrimitives.WriteUInt32LittleEndian(ranges.AsSpan(at + 8), Input.Chance(5) ? Input.U32() : block512 * (uint)Input.Between(1, 64));
            BinaryPrimitives.WriteUInt32LittleEndian(ranges.AsSpan(at + 12), Input.Chance(10) ? Input.Byte() & 3u : 0);
        }
        return ranges;
    }
}
